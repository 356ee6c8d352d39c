// As much of tus 1.0.0 as an upload needs that is resumed after a lost signal.
import { asked, type Problem } from "./ask";
import { tr } from "./words";

const VERSION = { "Tus-Resumable": "1.0.0" };
const PATIENCE = 30_000, SILENCE = 45_000;
const LOST: Problem = { status: 0, code: "", detail: tr("The signal was lost.") };

async function speak(method: string, path: string, headers: Record<string, string>, patience = PATIENCE, body?: Blob): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch("/api/v1/uploads" + path, { method, headers: { ...VERSION, ...headers }, ...(body ? { body } : {}), credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(patience) });
  } catch {
    throw LOST;
  }
  if (!answer.ok) throw { ...asked(answer.status, await answer.text().catch(() => "")), ...after(answer.headers.get("Retry-After")) };
  return answer;
}

const after = (header: string | null): { after?: number } => header && Number(header) > 0 ? { after: Number(header) * 1000 } : {};

/** start begins an upload, or finds the one that was begun under this name. Corrections are sealed like the upload. */
export async function start(entry: string, person: string, bytes: number, corrections?: Blob): Promise<string> {
  const answer = await speak("POST", "", {
    "Upload-Length": String(bytes), "Upload-Metadata": `entry ${btoa(entry)},person ${btoa(person)}`, ...(corrections ? { "Content-Type": "application/x-age" } : {}),
  }, PATIENCE, corrections);
  const id = answer.headers.get("Location")?.split("/").pop();
  if (!id) throw LOST;
  return id;
}

export async function offset(id: string): Promise<number> {
  const answer = await speak("HEAD", "/" + id, {});
  return Number(answer.headers.get("Upload-Offset"));
}

export async function remove(id: string): Promise<void> { await speak("DELETE", "/" + id, {}); }

export interface Outcome { state: string; bytes: number; received: number; item?: string; repeated?: boolean; problem?: Problem }

export async function outcome(id: string): Promise<Outcome> {
  const answer = await speak("GET", `/${id}/outcome`, {}, 180_000);
  try {
    return await answer.json() as Outcome;
  } catch {
    throw LOST;
  }
}

/** send sends the rest of what is sealed. fetch does not tell how far it is. */
export function send(id: string, sealed: Blob, from: number, told: (sent: number) => void, stop: AbortSignal): Promise<void> {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    let silent: number | undefined;
    // All is sent, and the server cleans and files it: that takes as long as it takes.
    const listen = (patience = SILENCE): void => { clearTimeout(silent); silent = setTimeout(() => request.abort(), patience); };
    const over = (how: () => void): void => { clearTimeout(silent); how(); };
    request.open("PATCH", "/api/v1/uploads/" + id);
    request.setRequestHeader("Tus-Resumable", "1.0.0");
    request.setRequestHeader("Upload-Offset", String(from));
    request.setRequestHeader("Content-Type", "application/offset+octet-stream");
    request.upload.addEventListener("progress", (e) => { listen(); told(from + e.loaded); });
    request.upload.addEventListener("load", () => listen(600_000));
    request.addEventListener("error", () => over(() => failed(LOST)));
    request.addEventListener("abort", () => over(() => failed(LOST)));
    request.addEventListener("load", () => over(() => {
      if (request.status < 300) done();
      else failed({ ...asked(request.status, request.responseText), ...after(request.getResponseHeader("Retry-After")) });
    }));
    stop.addEventListener("abort", () => request.abort());
    listen();
    request.send(sealed.slice(from));
  });
}
