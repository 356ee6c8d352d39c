import { signInAgain } from "./sign-in";
import { make } from "./small";
import { tr } from "./words";

/** Before a session ends this many seconds are left to stay (WCAG 2.2.1). */
const notice = 120;

/**
 * idle warns before the session ends because nothing was done, and lets one
 * stay; when it has ended, one signs in over the page and goes on.
 */
export function idle(): void {
  const after = Number(document.body.dataset.idle), whose = document.body.dataset.person;
  if (!after) return;
  let last = Date.now(), over = false, shown: HTMLElement | null = null;
  // Whatever the page asks of the server keeps the session.
  new PerformanceObserver((list) => {
    if (!over && list.getEntries().some((e) => new URL(e.name).origin === location.origin && !e.name.includes("/assets/"))) stayed();
  }).observe({ type: "resource" });

  function stayed(): void {
    [last, over] = [Date.now(), false];
    shown?.remove();
    shown = null;
  }
  async function stay(): Promise<void> {
    const answer = await fetch("/api/v1/session", { credentials: "same-origin", cache: "no-store" }).catch(() => null);
    if (answer?.status === 401) {
      if (!whose) location.reload();
      else if (await signInAgain()) await stay();
    } else if (answer?.ok) {
      const { person } = await answer.json() as { person: { id: string } };
      if (whose && person.id !== whose) location.reload(); // somebody else is at this screen now
      stayed();
    }
  }
  const words = make("p"), button = make("button", { class: "nhsuk-button nhsuk-button--small", type: "button" });
  button.addEventListener("click", () => void stay());
  setInterval(() => {
    const left = Math.round(after - (Date.now() - last) / 1000);
    if (left > notice || over) return;
    over = left <= 0;
    words.textContent = over ? tr("You were signed out, because nothing was done for a while. What you typed is still here: sign in again to go on.")
      : tr("You will be signed out in about two minutes, because nothing was done for a while.");
    button.textContent = over ? tr("Sign in again") : tr("Stay signed in");
    if (!shown) document.body.append(shown = make("div", { class: "ws-idle", role: "alert" }, words, button));
  }, Math.min(5000, after * 100));
}
