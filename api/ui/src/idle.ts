import { make } from "./small";
import { tr } from "./words";

/** Before a session ends this many seconds are left to stay (WCAG 2.2.1). */
const notice = 120;

/** idle warns before the session ends because nothing was done, and lets one stay. */
export function idle(): void {
  const after = Number(document.body.dataset.idle);
  if (!after) return;
  let last = Date.now(), shown: HTMLElement | null = null;
  // Whatever the page asks of the server keeps the session.
  new PerformanceObserver((list) => {
    if (list.getEntries().some((e) => new URL(e.name).origin === location.origin && !e.name.includes("/assets/"))) { last = Date.now(); close(); }
  }).observe({ type: "resource" });

  function close(): void { shown?.remove(); shown = null; }
  async function stay(): Promise<void> {
    const answer = await fetch("/api/v1/session", { credentials: "same-origin", cache: "no-store" }).catch(() => null);
    if (answer?.ok) { last = Date.now(); close(); }
    else if (answer?.status === 401) location.reload();
  }
  const words = make("p");
  setInterval(() => {
    const left = Math.round(after - (Date.now() - last) / 1000);
    if (left > notice) return;
    if (left <= 0) {
      words.textContent = tr("You were signed out, because nothing was done for a while. What you typed is still here: sign in again to go on.");
      return;
    }
    if (!shown) {
      words.textContent = tr("You will be signed out in about two minutes, because nothing was done for a while.");
      const button = make("button", { class: "nhsuk-button nhsuk-button--small", type: "button" }, tr("Stay signed in"));
      button.addEventListener("click", () => void stay());
      shown = make("div", { class: "ws-idle", role: "alert" }, words, button);
      document.body.append(shown);
    }
  }, Math.min(5000, after * 100));
}
