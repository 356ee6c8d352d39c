// Who has this phone, as far as the pages know: what waits on it belongs to
// who made it. None of this says anything about a patient.
import { tr } from "./words";

export interface Team { id: string; name: string }
export interface Terms { recipient: string; key: string; max_bytes: number; max_file_bytes: number }

const read = <T>(name: string): T | undefined => {
  try {
    return JSON.parse(localStorage.getItem("wardseal." + name) ?? "null") as T ?? undefined;
  } catch {
    return undefined;
  }
};
const write = (name: string, value: unknown): void => {
  try {
    if (value === undefined) localStorage.removeItem("wardseal." + name);
    else localStorage.setItem("wardseal." + name, JSON.stringify(value));
  } catch { /* no storage: nothing can wait, and enqueue says so */ }
};

/** person is who is signed in, or was when the signal was lost. */
export const person = (): string | undefined => read<string>("person");
export const terms = (): Terms | undefined => read<Terms>("terms");
export const keepTerms = (t: Terms): void => write("terms", t);

/** remember notes who this page was made for; signing out forgets it. */
export function remember(): void {
  const now = document.body.dataset.person;
  if (now) {
    if (now !== person()) write("teams", undefined);
    write("person", now);
  }
  for (const form of document.querySelectorAll<HTMLFormElement>('form[action="/sign-out"]')) {
    form.addEventListener("submit", () => { write("person", undefined); write("teams", undefined); });
  }
  const team = document.getElementById("team");
  if (!(team instanceof HTMLSelectElement)) return;
  if (now) {
    write("teams", [...team.options].filter((o) => o.value).map((o) => ({ id: o.value, name: o.text })));
  } else if ("shell" in document.body.dataset) {
    const teams = read<Team[]>("teams") ?? [];
    team.replaceChildren(...teams.map((t) => new Option(t.name, t.id)));
    if (teams.length > 1) team.prepend(new Option(tr("Choose a team"), "", true, true));
  }
}
