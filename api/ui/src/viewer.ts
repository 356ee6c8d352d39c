import { ask } from "./ask";
import type { Look } from "./picture";
import { byId } from "./small";
import { parsed } from "./trusted";
import { watermarks } from "./watermark";

let look: Look | undefined;

/**
 * viewer lets a picture or video be looked at closely, and waits for what is
 * being made. What that takes is loaded only here, and after the picture.
 */
export function viewer(): void {
  watermarks();
  if (byId("compare")) void import("./compare").then(({ begin }) => begin()).catch(plain);
  const place = byId("viewer");
  if (!place) return;
  equip(place).catch(plain);
  if (place.dataset.wanted) void wait(place, place.dataset.wanted);
}

/** plain: the signal failed, and what the page shows stays as it is, without tools. */
const plain = (): void => { /* a reload tries again */ };

/** equip gives what is shown its tools; without them it is still shown. */
async function equip(place: HTMLElement): Promise<void> {
  if (place.querySelector("video")) look = (await import("./film")).film(place);
  else if (place.querySelector(".ws-viewer__picture")) look = await (await import("./picture")).picture(place);
}

/** told shows how far the making of what is wanted is, and gives its state. */
async function told(place: HTMLElement): Promise<string> {
  try {
    const item = await ask<{ deriving: string; progress?: number }>("GET", "/items/" + place.dataset.item);
    const percent = place.querySelector("[data-percent]");
    if (percent && item.progress !== undefined) percent.textContent = Math.round(100 * item.progress) + " %";
    return item.deriving;
  } catch {
    return "waiting"; // it may be the signal
  }
}

/**
 * wait asks, ever more rarely, whether what is wanted is there. A HEAD request
 * shows nothing, so it is no viewing in the audit.
 */
async function wait(place: HTMLElement, wanted: string): Promise<void> {
  for (let pause = 700; pause < 60_000; pause *= 1.4) {
    await new Promise((go) => setTimeout(go, pause));
    if (document.hidden) continue;
    const there = await fetch(wanted, { method: "HEAD", credentials: "same-origin", cache: "no-store" }).catch(() => null);
    if (there?.status === 401 || there?.status === 410) return;
    if (there?.ok) break;
    if (place.querySelector("video") && await told(place) !== "waiting") break; // a film takes long enough to say how far it is
  }
  // The page again, from the server: in the middle of this one nothing moves
  // but the viewer.
  const page = await fetch(location.href, { credentials: "same-origin", cache: "no-store" }).catch(() => null);
  if (!page?.ok) return;
  const fresh = parsed(await page.text()).getElementById("viewer");
  if (!fresh || look?.busy()) return; // somebody is watching or drawing
  look?.destroy();
  place.replaceWith(document.adoptNode(fresh));
  equip(fresh).catch(plain);
  if (fresh.dataset.wanted) void wait(fresh, fresh.dataset.wanted);
}
