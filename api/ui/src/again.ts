import { parsed } from "./trusted";
import { byId } from "./small";

/**
 * again looks at a page once more after the seconds that it says itself, and
 * shows what has changed. It waits for who is writing on it.
 */
export function again(): void {
  const seconds = Number(byId("batch")?.dataset.again);
  if (seconds > 0) setTimeout(() => void look(), seconds * 1000);
}

async function look(): Promise<void> {
  const old = byId("batch");
  if (!old) return;
  const writes = [...old.querySelectorAll("textarea, input")].some((f) => f === document.activeElement || f instanceof HTMLTextAreaElement && f.value !== f.defaultValue);
  const answer = writes ? null : await fetch(location.pathname, { credentials: "same-origin", cache: "no-store" }).catch(() => null);
  if (answer?.ok && !answer.redirected) {
    const fresh = parsed(await answer.text()).getElementById("batch");
    if (fresh) old.replaceWith(fresh);
    byId("messages")?.replaceChildren(); // what was said there is of before
    again();
  } else if (!answer) setTimeout(() => void look(), 5000);
}
