// The queue: what is to be sent is encrypted on the phone, kept in the
// browser's database, and sent from there, however often the signal is lost,
// the page closed or the server restarted. What is filed is wiped.
import { ask, type Problem } from "./ask";
import * as store from "./store";
import * as tus from "./tus";
import { keepTerms, person, terms, type Terms } from "./who";
import { tr } from "./words";

const MAX_ENTRIES = 60, MAX_BYTES = 3 * 2 ** 30;

/** How an entry stands, as its person sees it. */
export interface Standing {
  entry: store.Entry;
  state: "queued" | "sending" | "filing" | "filed" | "refused";
  sent: number;
  item?: string;
  repeated?: boolean;
}

/** What stops everything: nobody, or somebody else, is signed in; or there is no signal. */
export type Halt = "signed-out" | "no-signal" | undefined;

const live = new Map<string, { state: Standing["state"]; sent: number; item?: string; repeated?: boolean }>();
const filed: Standing[] = []; // on this page, until it is left
const stops = new Map<string, AbortController>();
let halt: Halt;
let timer: number | undefined;

const heard = new Set<() => void>();
const others = "BroadcastChannel" in window ? new BroadcastChannel("wardseal-queue") : undefined;
others?.addEventListener("message", (event: MessageEvent<Standing | undefined>) => {
  if (event.data) filed.unshift(event.data);
  tell(false);
});

/** onChange calls back whenever an entry stands differently, in this tab or another, until what it gives is called. */
export function onChange(call: () => void): () => void {
  heard.add(call);
  return () => void heard.delete(call);
}

function tell(further = true): void {
  for (const call of heard) call();
  if (further) others?.postMessage(undefined);
}

/** halted says what stops the queue just now. */
export const halted = (): Halt => halt;

/** standing lists the entries of who has the phone now, and of nobody else. */
export async function standing(): Promise<Standing[]> {
  const me = person();
  if (!me) return [];
  const mine = (await store.all()).filter((e) => e.person === me);
  const waiting = mine.map((entry): Standing => ({ entry, sent: 0, ...(live.get(entry.id) ?? { state: entry.refused ? "refused" : "queued" }) }));
  return [...filed.filter((f) => f.entry.person === me && !mine.some((e) => e.id === f.entry.id)), ...waiting];
}

const full = (detail: string): Problem => ({ status: 507, code: "queue-full", detail });

/** recipient gives what to encrypt to, remembered for when there is no signal. */
async function recipient(): Promise<Terms> {
  const known = terms();
  if (known) return known;
  return await refresh();
}

/** refresh asks for the server's terms while there is a signal. */
export async function refresh(): Promise<Terms> {
  const t = await ask<Terms>("GET", "/intake");
  keepTerms(t);
  return t;
}

/** enqueue encrypts a form and keeps it to be sent. It throws a Problem when it cannot be kept, and then nothing is. */
export async function enqueue(form: FormData, facts: { label: string; bytes: number }, told?: (sealed: number) => void): Promise<store.Entry> {
  const me = person();
  if (!me) throw { status: 401, code: "not-signed-in", detail: tr("This phone does not know who you are. Sign in first; that needs a signal.") } satisfies Problem;
  const to = await recipient();
  let kept: store.Entry[];
  try {
    kept = await store.all();
  } catch {
    throw full(tr("This browser lets nothing be kept, perhaps because this is a private window. Send from an ordinary window."));
  }
  if (kept.length >= MAX_ENTRIES || kept.reduce((n, e) => n + e.bytes, facts.bytes) > MAX_BYTES) {
    throw full(tr("Too much waits to be sent on this phone already. Let some of it go first, where the signal is good; nothing is lost."));
  }
  const id = crypto.randomUUID();
  form.set("idempotency_key", id);
  const { seal } = await import("./seal");
  const sealed = await seal(form, to.recipient, told);
  const entry: store.Entry = { id, person: me, label: facts.label, bytes: sealed.size, madeAt: Date.now(), tries: 0, next: 0 };
  try {
    await store.add(entry, sealed);
  } catch {
    throw full(tr("There is no room left on this phone to keep this. Make some room, or send what waits where the signal is good."));
  }
  void navigator.storage?.persist?.().catch(() => false); // so that the browser does not clear it away
  tell();
  void run();
  return entry;
}

/** fresh is an entry as it is kept now: what a page holds may be older. */
const fresh = async (entry: store.Entry): Promise<store.Entry> => (await store.all()).find((e) => e.id === entry.id) ?? entry;

/** discard removes an entry that is not to be sent, here and at the server. */
export async function discard(entry: store.Entry): Promise<void> {
  if (live.get(entry.id)?.state === "filing") return;
  entry = await fresh(entry);
  stops.get(entry.id)?.abort();
  await store.forget(entry.id);
  live.delete(entry.id);
  tell();
  if (entry.upload && !entry.refused) await tus.remove(entry.upload).catch(() => undefined); // else it expires there
}

/**
 * putRight sends an entry again that was refused, with what is to count
 * instead of what is sealed in it: that cannot be read back here.
 */
export async function putRight(entry: store.Entry, corrections?: FormData): Promise<void> {
  const { refused: _, upload: __, ...rest } = await fresh(entry);
  const right: store.Entry = { ...rest, tries: 0, next: 0 };
  if (corrections) {
    const to = await recipient();
    const { seal } = await import("./seal");
    right.corrections = await seal(corrections, to.recipient);
  }
  await store.change(right);
  tell();
  await run();
}

/** again lets everything be tried at once: somebody asks for it, or the signal is back. */
export async function again(): Promise<void> {
  const me = person();
  for (const e of await store.all()) if (e.person === me && e.next) await store.change({ ...e, next: 0, tries: 0 });
  await run();
}

let running = false, wanted = false;

/** run sends what is due, one after the other, in one tab at a time. */
export async function run(): Promise<void> {
  if (running) {
    wanted = true;
    return;
  }
  running = true;
  clearTimeout(timer);
  try {
    const alone = async (): Promise<void> => {
      do {
        wanted = false;
        await round();
      } while (wanted);
    };
    if (navigator.locks) await navigator.locks.request("wardseal-queue", { ifAvailable: true }, async (lock) => { if (lock) await alone(); else later(5_000); });
    else await alone();
  } catch (error) {
    console.warn("the queue stopped", error instanceof Error ? error.name : "");
    later(30_000);
  } finally {
    running = false;
    tell();
  }
}

function later(wait: number): void {
  clearTimeout(timer);
  timer = setTimeout(() => void run(), wait);
}

async function round(): Promise<void> {
  halt = undefined;
  for (;;) {
    const me = person();
    const mine = me ? (await store.all()).filter((e) => e.person === me && !e.refused) : [];
    const due = mine.find((e) => e.next <= Date.now());
    if (!due) {
      if (mine.length) later(Math.max(1_000, Math.min(...mine.map((e) => e.next)) - Date.now()));
      return;
    }
    if (await one(due)) continue;
    if (halt === "no-signal") later(Math.max(1_000, due.next - Date.now()));
    return;
  }
}

/** one sends an entry, and gives whether the next may follow at once. */
async function one(entry: store.Entry): Promise<boolean> {
  const stop = new AbortController();
  stops.set(entry.id, stop);
  try {
    await deliver(entry, stop.signal);
    return true;
  } catch (error) {
    if (stop.signal.aborted) return true;
    const p: Problem & { after?: number } = isProblem(error) ? error : { status: 0, code: "", detail: "" };
    if (p.status === 401 || p.code === "upload-not-yours") {
      halt = "signed-out";
      return false; // until they sign in again
    }
    if (p.status === 410) delete entry.upload; // it ended without being filed: begun again, under another name
    else if (p.status === 404) { // not known, or not to who is signed in now: begun again, under the same name
      delete entry.upload;
      entry.began = Math.max(0, (entry.began ?? 1) - 1);
    } else if (p.status >= 400 && p.status < 500 && p.status !== 408 && p.status !== 409 && p.status !== 412 && p.status !== 429) {
      await refuse(entry, p);
      return true;
    }
    if (p.status === 0) halt = "no-signal";
    entry.tries++;
    entry.next = Date.now() + (p.after ?? Math.min(300_000, 2_000 * 2 ** Math.min(entry.tries - 1, 8) * (0.75 + Math.random() / 2)));
    await store.change(entry);
    return p.status !== 0; // without a signal none of the others would fare better
  } finally {
    stops.delete(entry.id);
    if (live.get(entry.id)?.state !== "filed") live.delete(entry.id);
    tell();
  }
}

const isProblem = (e: unknown): e is Problem => typeof e === "object" && e !== null && "status" in e && "detail" in e;

async function refuse(entry: store.Entry, p: Problem): Promise<void> {
  if (p.code === "not-sealed") void refresh().catch(() => undefined); // for the next picture
  entry.refused = { detail: p.detail, code: p.code, field: p.field ?? "" };
  await store.change(entry);
}

/** deliver brings an entry to its outcome, from wherever it stands. */
async function deliver(entry: store.Entry, stop: AbortSignal): Promise<void> {
  const sealed = await store.sealedOf(entry.id);
  if (!sealed) { // the browser has lost it; there is nothing to send
    await refuse(entry, { status: 0, code: "lost-here", detail: tr("This browser no longer has this picture. Take it again.") });
    return;
  }
  const show = (state: Standing["state"], sent: number): void => { live.set(entry.id, { state, sent }); tell(); };
  show("sending", 0);
  const first = !entry.upload && entry.tries === 0;
  if (!entry.upload) {
    // A new name after something ended at the server without being filed; the same one while the answer may just be lost.
    entry.upload = await tus.start(entry.id + "." + (entry.began ?? 0), entry.person, sealed.size, entry.corrections);
    entry.began = (entry.began ?? 0) + 1;
    await store.change(entry);
  }
  let at = first ? 0 : await tus.offset(entry.upload);
  for (let conflicts = 0; at < sealed.size;) {
    show("sending", at);
    try {
      await tus.send(entry.upload, sealed, at, (sent) => show(sent < sealed.size ? "sending" : "filing", sent), stop);
    } catch (error) {
      if (!isProblem(error) || error.code !== "upload-offset" || ++conflicts > 5) throw error; // an earlier attempt had got further
    }
    at = await tus.offset(entry.upload);
    if (entry.tries) { entry.tries = 0; await store.change(entry); } // it moves
  }
  show("filing", sealed.size);
  for (;;) {
    const o = await tus.outcome(entry.upload);
    if (o.state === "filed") {
      await store.forget(entry.id);
      const how = { state: "filed" as const, sent: sealed.size, ...(o.item ? { item: o.item } : {}), repeated: o.repeated ?? false };
      live.set(entry.id, how);
      filed.unshift({ entry, ...how });
      others?.postMessage(filed[0]);
      return;
    }
    if (o.state === "refused" && o.problem) {
      await refuse(entry, o.problem);
      return;
    }
    if (o.state !== "filing") throw { status: 410, code: "upload-ended", detail: "" } satisfies Problem;
    await new Promise((done) => setTimeout(done, 2_000));
  }
}

/** outcomeOf waits for what comes of an entry while the page is open. */
export function outcomeOf(id: string): Promise<Standing | Halt> {
  return new Promise((done) => {
    const look = async (): Promise<void> => {
      const s = (await standing()).find((e) => e.entry.id === id);
      if (s && (s.state === "filed" || s.state === "refused")) finish(s);
      else if (halt && !running) finish(halt);
    };
    const call = (): void => { void look(); };
    const finish = (s: Standing | Halt): void => { heard.delete(call); done(s); };
    heard.add(call);
    call();
  });
}

/** keepGoing starts the queue on every page, and whenever the signal is back. */
export function keepGoing(): void {
  window.addEventListener("online", () => void again());
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") void run(); });
  void run();
}
