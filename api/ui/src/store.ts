// What waits to be sent, in the browser's database: a line about each entry
// in one place, and what was encrypted in another, so that a change of the one
// does not write the other again.

export interface Entry {
  id: string;
  person: string; // who made it; nobody else sees or sends it
  label: string; // says nothing about a patient
  bytes: number;
  madeAt: number;
  upload?: string; // its identifier at the server, once started
  began?: number; // how often an upload was begun for it
  tries: number; // in a row that failed
  next: number; // not to be tried before
  corrections?: Blob; // sealed too: what was put right after a refusal
  refused?: { detail: string; code: string; field: string };
}

let opened: Promise<IDBDatabase> | undefined;

function open(): Promise<IDBDatabase> {
  opened ??= new Promise((done, failed) => {
    const r = indexedDB.open("wardseal", 1);
    r.onupgradeneeded = () => {
      r.result.createObjectStore("entries", { keyPath: "id" });
      r.result.createObjectStore("sealed");
    };
    r.onsuccess = () => {
      r.result.onversionchange = () => { r.result.close(); opened = undefined; };
      done(r.result);
    };
    r.onerror = () => { opened = undefined; failed(r.error); };
  });
  return opened;
}

async function within<T>(mode: IDBTransactionMode, act: (entries: IDBObjectStore, sealed: IDBObjectStore) => IDBRequest<T> | void): Promise<T | undefined> {
  const db = await open();
  return new Promise((done, failed) => {
    const t = db.transaction(["entries", "sealed"], mode, { durability: "strict" });
    const r = act(t.objectStore("entries"), t.objectStore("sealed"));
    t.oncomplete = () => done(r?.result);
    t.onabort = t.onerror = () => failed(t.error);
  });
}

export const all = async (): Promise<Entry[]> =>
  (await within<Entry[]>("readonly", (entries) => entries.getAll() as IDBRequest<Entry[]>) ?? []).sort((a, b) => a.madeAt - b.madeAt);
export const sealedOf = (id: string): Promise<Blob | undefined> => within<Blob | undefined>("readonly", (_, sealed) => sealed.get(id) as IDBRequest<Blob | undefined>);
export const add = (e: Entry, sealed: Blob): Promise<unknown> => within("readwrite", (entries, blobs) => { entries.add(e); blobs.add(sealed, e.id); });
export const forget = (id: string): Promise<unknown> => within("readwrite", (entries, sealed) => { entries.delete(id); sealed.delete(id); });

/** change writes an entry again, unless it was removed meanwhile. */
export const change = (e: Entry): Promise<unknown> => within("readwrite", (entries) => {
  const known = entries.getKey(e.id);
  known.onsuccess = () => { if (known.result !== undefined) entries.put(e); };
});
