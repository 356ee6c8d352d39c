import { sendByQueue } from "./sending";
import { signInAgain } from "./sign-in";
import { byId, make, show, type Mistake } from "./small";

/** send makes the form send by itself: progress is seen, and no mistake or lost signal loses what was typed. */
export function send(): void {
  const form = byId("send");
  if (!(form instanceof HTMLFormElement)) return;
  const file = byId("file") as HTMLInputElement;
  file.addEventListener("change", () => preview(file));
  preview(file);
  // What was found belongs to what was typed then.
  form.addEventListener("input", (event) => {
    const name = event.target instanceof HTMLInputElement ? event.target.name : "";
    if (/^(patient_number|patient_number_kind|dob_.*)$/.test(name)) document.querySelector(".ws-found")?.remove();
    awake();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const by = event.submitter;
    if (by instanceof HTMLButtonElement && by.hasAttribute("formaction")) void aside(form, by);
    else void upload(form, file);
  });
}

let spoke = Date.now();

/** awake keeps the session of somebody who is typing. */
function awake(): void {
  if (Date.now() - spoke < 240_000) return;
  spoke = Date.now();
  fetch("/api/v1/session", { credentials: "same-origin", cache: "no-store" }).catch(() => undefined);
}

/** preview shows what was chosen, and the choice of sound when it is a video. */
function preview(file: HTMLInputElement): void {
  const place = byId("chosen"), sound = byId("sound-group");
  const old = place?.querySelector<HTMLImageElement | HTMLVideoElement>("img, video");
  if (old) URL.revokeObjectURL(old.src);
  place?.replaceChildren();
  const chosen = file.files?.[0];
  const video = !!chosen && (chosen.type.startsWith("video/") || /\.(mp4|m4v|mov|3gp|3g2|webm|mkv)$/i.test(chosen.name));
  if (sound) sound.hidden = !video;
  if (!chosen || !place) return;
  const text = make("p", {}, size(chosen.size));
  const shown = video ? make("video", { controls: "", playsinline: "", preload: "metadata", "aria-label": "The video that you chose" }) : make("img", { alt: "The picture that you chose" });
  shown.addEventListener("error", () => {
    shown.remove();
    text.textContent = `${size(chosen.size)}. This browser cannot show it beforehand; it can be sent all the same.`;
  });
  shown.src = URL.createObjectURL(chosen);
  place.append(shown, text);
}

function size(n: number): string {
  return n < 1 << 20 ? Math.max(1, Math.round(n / 1024)) + " KB" : (n / (1 << 20)).toFixed(1) + " MB";
}

/** missing lists everything that is not filled in yet, so that it is told at once. */
function missing(form: HTMLFormElement, file: HTMLInputElement): Mistake[] {
  const data = new FormData(form), out: Mistake[] = [];
  const need = (field: string, text: string, ...names: string[]): void => {
    if (names.some((n) => !String(data.get(n) ?? "").trim())) out.push({ field, text });
  };
  need("patient_number", "Enter the patient’s number", "patient_number");
  need("date_of_birth", "Enter the date of birth: day, month and year", "dob_day", "dob_month", "dob_year");
  need("body_site", "Say which part of the body this shows", "body_site");
  need("team", "Choose the team that this picture belongs to", "team");
  need("consent", "Choose what the patient agreed to", "consent");
  const chosen = file.files?.[0], limit = Number(form.dataset.max);
  if (!chosen) out.push({ field: "file", text: "Choose a photo or video" });
  else if (limit && chosen.size > limit) out.push({ field: "file", text: `This file is larger than the limit of ${size(limit)}. Send a shorter video or a smaller picture.` });
  return out;
}

/** aside sends the form without its file and puts the answer's parts in place. */
async function aside(form: HTMLFormElement, by: HTMLButtonElement): Promise<void> {
  const data = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string") data.append(name, value);
  by.disabled = true;
  try {
    const answer = await fetch(by.formAction, { method: "POST", body: data, credentials: "same-origin", redirect: "manual" });
    if (answer.type === "opaqueredirect") { // to the sign-in page
      if (await signInAgain()) return await aside(form, by);
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["messages", "patient", "cases"]) {
      const fresh = page.getElementById(id), old = byId(id);
      if (fresh && old) old.replaceWith(document.adoptNode(fresh));
    }
    const focus = byId("problem") ?? document.querySelector<HTMLElement>("#found .nhsuk-inset-text");
    focus?.setAttribute("tabindex", "-1");
    focus?.focus();
  } catch {
    show([{ field: "", text: "The server cannot be reached. Check your signal and try again; nothing is lost." }]);
  } finally {
    by.disabled = false;
  }
}

async function upload(form: HTMLFormElement, file: HTMLInputElement): Promise<void> {
  const go = byId("go") as HTMLButtonElement;
  if (go.disabled) return; // a second tap
  const mistakes = missing(form, file);
  show(mistakes);
  if (mistakes.length) return;
  go.disabled = true;
  const answer = await sendByQueue(form);
  go.disabled = false;
  if (answer === "kept") preview(file);
  else if ("location" in answer) location.assign(answer.location);
  else show([{ field: answer.field ?? "", text: answer.detail }]);
}
