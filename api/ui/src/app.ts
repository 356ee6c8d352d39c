import { refresh } from "./queue";
import { byId } from "./small";
import { program } from "./trusted";

/** app makes the pages open without a signal, and has ready what sending then needs. */
export function app(): void {
  if ("serviceWorker" in navigator && (document.body.dataset.person || "shell" in document.body.dataset)) {
    navigator.serviceWorker.register(program("/worker.js")).catch(() => undefined); // the pages work without, while there is a signal
  }
  if (byId("send") && document.body.dataset.person) void refresh().catch(() => undefined);
}
