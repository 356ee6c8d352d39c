import { ask, type Problem } from "./ask";
import { byId, show } from "./small";
import { tr } from "./words";

/** push lets a person have this browser told that something waits, or no more. */
export function push(): void {
  const place = byId("push"), button = byId("push-go");
  if (!place || !button || !("serviceWorker" in navigator) || !("PushManager" in window)) return;
  const key = place.dataset.key ?? "";
  let now: PushSubscription | null = null;

  const draw = (): void => {
    button.textContent = now ? tr("Stop telling me on this device") : tr("Tell me on this device");
    place.hidden = false;
  };
  const ready = navigator.serviceWorker.ready;
  void ready.then(async (r) => {
    now = await r.pushManager.getSubscription();
    draw();
  });
  button.addEventListener("click", async () => {
    (button as HTMLButtonElement).disabled = true;
    try {
      show([]);
      const { pushManager } = await ready;
      if (now) {
        await ask("POST", "/session/push/end", { endpoint: now.endpoint });
        await now.unsubscribe();
        now = null;
        say(tr("This device is told no more."));
      } else {
        const made = await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
        const { endpoint, keys } = made.toJSON();
        try {
          await ask("PUT", "/session/push", { endpoint, p256dh: keys?.p256dh, auth: keys?.auth });
        } catch (error) {
          await made.unsubscribe();
          throw error;
        }
        now = made;
        say(tr("This device is told when something waits."));
      }
      draw();
    } catch (error) {
      const detail = (error as Partial<Problem>).detail;
      show([{ field: "", text: detail ?? tr("Your browser does not allow it. Look in its settings for notifications, or use e-mail.") }]);
    } finally {
      (button as HTMLButtonElement).disabled = false;
    }
  });
}

function say(text: string): void {
  const e = byId("push-says");
  if (e) e.textContent = text;
}
