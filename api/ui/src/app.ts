import { refresh } from "./queue";
import { byId, make } from "./small";
import { program } from "./trusted";
import { tr } from "./words";

/** app makes the pages open without a signal, and has ready what sending then needs. */
export function app(): void {
  if ("serviceWorker" in navigator && (document.body.dataset.person || "shell" in document.body.dataset)) {
    navigator.serviceWorker.register(program("/worker.js")).catch(() => undefined); // the pages work without, while there is a signal
  }
  if ("shell" in document.body.dataset && !["/", "/send"].includes(location.pathname)) { // another page was asked for
    document.querySelector(".ws-notice p")?.append(" ", make("a", { href: location.href }, tr("Try again to open what you asked for.")));
  }
  if (byId("send") && document.body.dataset.person) void refresh().catch(() => undefined);
}
