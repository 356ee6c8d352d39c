// The form to send, sent by the queue: it is kept on this phone first, and
// goes on when the signal is lost or the page is closed.
import type { Problem } from "./ask";
import { discard, enqueue, onChange, outcomeOf, run, standing, type Standing } from "./queue";
import { signInAgain } from "./sign-in";
import { byId, make } from "./small";

/** What a page's form has besides the fields of an upload. */
const ASIDE = new Set(["dob_day", "dob_month", "dob_year", "name", "title"]);

/** payload makes the fields of POST /api/v1/items of the page's form. */
export function payload(form: HTMLFormElement): { data: FormData; file: File } {
  const typed = new FormData(form), data = new FormData();
  const file = typed.get("file") as File;
  for (const [name, value] of typed) if (typeof value === "string" && !ASIDE.has(name)) data.append(name, value);
  const part = (name: string): string => String(typed.get(name) ?? "").trim();
  data.set("date_of_birth", `${part("dob_year")}-${part("dob_month").padStart(2, "0")}-${part("dob_day").padStart(2, "0")}`);
  const taken = new Date(part("captured_at")); // on the wall's clock here
  if (part("captured_at") && !isNaN(taken.getTime())) data.set("captured_at", taken.toISOString());
  data.append("file", file, "file"); // its name is nobody's business
  return { data, file };
}

/** label tells an entry from others, and says nothing about the patient. */
function label(file: File): string {
  const video = file.type.startsWith("video/") || /\.(mp4|m4v|mov|3gp|3g2|webm|mkv)$/i.test(file.name);
  const size = file.size < 1 << 20 ? Math.max(1, Math.round(file.size / 1024)) + " KB" : (file.size / (1 << 20)).toFixed(1) + " MB";
  return `${video ? "Video" : "Photo"}, ${size}, ${new Date().toLocaleString("en-GB", { day: "numeric", month: "long", hour: "numeric", minute: "2-digit" })}`;
}

/**
 * sendByQueue sends a form. It gives where the item is when it was filed while
 * the page was open, the problem when it was refused (and then it is not
 * kept: the form still has it), and "kept" when it goes on by itself.
 */
export async function sendByQueue(form: HTMLFormElement): Promise<Problem | { location: string } | "kept"> {
  const { data, file } = payload(form);
  const place = byId("sending") as HTMLElement, bar = byId("progress") as HTMLProgressElement, text = byId("sent") as HTMLElement;
  text.textContent = "It is being encrypted on this phone…";
  bar.removeAttribute("value");
  place.hidden = false;
  let meanwhile: HTMLButtonElement | undefined;
  try {
    const entry = await enqueue(data, { label: label(file), bytes: file.size }, (sealed) => {
      text.textContent = `It is being encrypted on this phone: ${Math.min(99, Math.floor(100 * sealed / file.size))} %`;
      bar.value = 100 * sealed / file.size;
    });
    let told = -1;
    const follow = async (): Promise<void> => {
      const s = (await standing()).find((e) => e.entry.id === entry.id);
      if (!s || s.state === "queued") return;
      bar.value = 100 * s.sent / s.entry.bytes;
      const tenth = s.state === "sending" ? Math.floor(bar.value / 10) * 10 : 100; // not every step is worth a screen reader's breath
      if (tenth !== told) text.textContent = tenth === 100 ? "Sent. It is being cleaned and encrypted…" : tenth + " % sent";
      told = tenth;
    };
    onChange(() => void follow());
    const go = meanwhile = make("button", { type: "button", class: "nhsuk-button nhsuk-button--secondary" }, "Go on with another picture");
    const elsewhere = new Promise<"meanwhile">((done) => go.addEventListener("click", () => done("meanwhile")));
    text.after(go);
    for (;;) {
      const how = await Promise.race([outcomeOf(entry.id), elsewhere]);
      if (how === "signed-out" && await signInAgain()) { await run(); continue; }
      if (typeof how === "string" || how === undefined) {
        kept(form, how);
        return "kept";
      }
      return await ended(how);
    }
  } catch (error) {
    return error as Problem;
  } finally {
    place.hidden = true;
    meanwhile?.remove();
  }
}

async function ended(s: Standing): Promise<Problem | { location: string }> {
  const why = s.entry.refused;
  if (!why) return { location: s.item ? `/pictures/${s.item}?filed=${s.repeated ? "before" : "new"}` : "/pictures" };
  await discard(s.entry); // the form still has it, to be put right
  return { status: 422, code: why.code, detail: why.detail, ...(why.field ? { field: why.field } : {}) };
}

/** kept says that what was sent goes on by itself, and makes room for the next picture of the same patient. */
function kept(form: HTMLFormElement, how: string | undefined): void {
  (form.querySelector("#file") as HTMLInputElement).value = "";
  const note = form.querySelector<HTMLTextAreaElement>("#note");
  if (note) note.value = "";
  const messages = byId("messages");
  const words = how === "meanwhile" ? "It goes on by itself. You can take the next picture; this one is listed below until it is filed." :
    "Kept on this phone, encrypted. It goes by itself when the signal is back, also when you close this page.";
  const notice = make("div", { class: "nhsuk-inset-text ws-notice", role: "status", tabindex: "-1" }, make("p", {}, words));
  messages?.replaceChildren(notice);
  notice.focus();
}
