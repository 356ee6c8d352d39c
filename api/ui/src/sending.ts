// What is sent of the form goes by the queue: it is kept on this phone first,
// and goes on when the signal is lost or the page is closed.
import type { Problem } from "./ask";
import { discard, enqueue, onChange, outcomeOf, run, standing, type Standing } from "./queue";
import { signInAgain } from "./sign-in";
import { language, tr } from "./words";

/** What a page's form has besides the fields of an upload. */
const ASIDE = new Set(["dob_day", "dob_month", "dob_year", "name", "title"]);

/** payload makes the fields of POST /api/v1/items of what the page's form has. */
function payload(typed: FormData): { data: FormData; file: File } {
  const data = new FormData(), file = typed.get("file") as File;
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
  const size = file.size < 1 << 20 ? tr("{n} KB", { n: Math.max(1, Math.round(file.size / 1024)) }) : tr("{n} MB", { n: (file.size / (1 << 20)).toFixed(1) });
  return `${video ? tr("Video") : tr("Photo")}, ${size}, ${new Date().toLocaleString(language(), { day: "numeric", month: "long", hour: "numeric", minute: "2-digit" })}`;
}

/**
 * sendByQueue sends what was entered of one picture, and tells how far it is.
 * It gives where the item is when it was filed while the page was open, the
 * problem when it was refused (and then it is not kept: the page still has
 * it), and "kept" when it goes on by itself.
 */
export async function sendByQueue(typed: FormData, tell: (percent: number) => void): Promise<Problem | { location: string } | "kept"> {
  const { data, file } = payload(typed);
  let quiet = (): void => undefined;
  try {
    const entry = await enqueue(data, { label: label(file), bytes: file.size });
    quiet = onChange(() => void follow());
    const follow = async (): Promise<void> => {
      const s = (await standing()).find((e) => e.entry.id === entry.id);
      if (s?.state === "sending") tell(Math.floor(20 * s.sent / s.entry.bytes) * 5); // not every step is worth a screen reader's breath
      else if (s && s.state !== "queued") tell(100);
    };
    for (;;) {
      const how = await outcomeOf(entry.id);
      if (how === "signed-out" && await signInAgain()) { await run(); continue; }
      return typeof how === "string" || how === undefined ? "kept" : await ended(how);
    }
  } catch (error) {
    return error as Problem;
  } finally {
    quiet();
  }
}

async function ended(s: Standing): Promise<Problem | { location: string }> {
  const why = s.entry.refused;
  if (!why) return { location: s.item ? `/pictures/${s.item}?filed=${s.repeated ? "before" : "new"}` : "/pictures" };
  await discard(s.entry); // the form still has it, to be put right
  return { status: 422, code: why.code, detail: why.detail, ...(why.field ? { field: why.field } : {}) };
}
