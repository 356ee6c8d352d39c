// The service worker: the pages open without a signal. It keeps the built
// files and the shell page, which is the same for everybody, and never an
// answer that was given to somebody.
declare const ASSETS: string[]; // put before this file by the server
declare const VERSION: string;

interface Extendable extends Event { waitUntil(p: Promise<unknown>): void }
interface Pushed extends Extendable { readonly data: { text(): string } | null }
interface Clicked extends Extendable { readonly notification: Notification }
interface Page { url: string; focus(): Promise<unknown> }
interface Fetching extends Extendable { readonly request: Request; respondWith(r: Promise<Response>): void }
const worker = self as unknown as {
  addEventListener(type: "install" | "activate", heard: (e: Extendable) => void): void;
  addEventListener(type: "fetch", heard: (e: Fetching) => void): void;
  addEventListener(type: "push", heard: (e: Pushed) => void): void;
  addEventListener(type: "notificationclick", heard: (e: Clicked) => void): void;
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void>; matchAll(o: { type: "window" }): Promise<Page[]>; openWindow(path: string): Promise<unknown> };
  registration: ServiceWorkerRegistration;
  location: Location;
};

const STORE = "wardseal-" + VERSION, SHELL = "/shell";
const PATIENCE = 10_000; // how long the form may hang on one bar of signal
const FORM = ["/", "/send", "/queue"]; // where the shell is what is asked for

worker.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const store = await caches.open(STORE);
    // Without credentials: whatever is kept is what nobody gets.
    for (const path of [...ASSETS, SHELL]) {
      const answer = await fetch(path, { credentials: "omit", cache: "no-cache" });
      if (!answer.ok || answer.redirected) throw new Error("a file of this build is not there");
      await store.put(path, answer);
    }
    await worker.skipWaiting();
  })());
});

worker.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name !== STORE) await caches.delete(name);
    await worker.clients.claim();
  })());
});

worker.addEventListener("fetch", (event) => {
  const { request } = event, url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== worker.location.origin) return;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (ASSETS.includes(url.pathname)) event.respondWith(asset(url.pathname, request));
});

// What waits is not said, on a screen that anybody can see: one signs in.
worker.addEventListener("push", (event) => {
  event.waitUntil(worker.registration.showNotification("Wardseal", { body: event.data?.text() ?? "", tag: "wardseal", icon: ASSETS.find((path) => path.includes("/icon-192")) ?? "" }));
});

worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil((async () => {
    const open = (await worker.clients.matchAll({ type: "window" }))[0];
    await (open ? open.focus() : worker.clients.openWindow("/"));
  })());
});

/** asset gives a built file from the store: its address has a hash of it. */
async function asset(path: string, request: Request): Promise<Response> {
  return await (await caches.open(STORE)).match(path) ?? fetch(request);
}

/**
 * page gives what the server says, and the shell when it cannot be asked. Where
 * the form is wanted, it need not answer soon; a picture is waited for, since
 * the form is no answer to who opens one.
 */
async function page(request: Request): Promise<Response> {
  const shell = await (await caches.open(STORE)).match(SHELL);
  if (!shell) return fetch(request);
  let over: number | undefined;
  const late = FORM.includes(new URL(request.url).pathname) ? [new Promise<Response>((done) => { over = setTimeout(() => done(shell), PATIENCE); })] : [];
  try {
    return await Promise.race([fetch(request), ...late]);
  } catch {
    return shell;
  } finally {
    clearTimeout(over);
  }
}
