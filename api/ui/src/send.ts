import type { Problem } from "./ask";
import { body } from "./body";
import { capture, size } from "./capture";
import { clear, patient, wanted } from "./patient";
import { changed, drop, state, type Patient, type Shot, type Way } from "./sets";
import { sendByQueue } from "./sending";
import { signInAgain } from "./sign-in";
import { byId, make, show, type Mistake } from "./small";
import { parsed } from "./trusted";
import { tr, trn } from "./words";

/** send makes the form a walk: the patient, pictures, what they show, consent. No mistake or lost signal loses anything. */
export function send(): void {
  const form = byId("send");
  if (!(form instanceof HTMLFormElement) || !byId("rest")) return;
  form.addEventListener("input", awake);
  capture(form);
  body(form);
  decided(form);
  patient(form, () => aside(form, "/send/patient", false));
  changed();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const by = event.submitter;
    if (by instanceof HTMLButtonElement && by.hasAttribute("formaction")) void pressed(form, by);
    else if (state.patient) void sendAll(form, state.patient);
  });
}

let spoke = Date.now();

/** awake keeps the session of somebody who is typing. */
function awake(): void {
  if (Date.now() - spoke < 240_000) return;
  spoke = Date.now();
  fetch("/api/v1/session", { credentials: "same-origin", cache: "no-store" }).catch(() => undefined);
}

/** decided asks who decided only where somebody decides for the patient. */
function decided(form: HTMLFormElement): void {
  const draw = (): void => {
    const by = String(new FormData(form).get("consent_given_by"));
    const place = byId("decided");
    if (place) place.hidden = !/^(attorney|best-interests)$/.test(by);
  };
  form.addEventListener("change", draw);
  form.addEventListener("filled", draw);
  draw();
}

/** missing lists everything that is not filled in yet, so that it is told at once. */
function missing(form: HTMLFormElement): Mistake[] {
  const data = new FormData(form), out: Mistake[] = [], limit = Number(form.dataset.max);
  const need = (field: string, text: string): void => {
    if (!String(data.get(field) ?? "").trim()) out.push({ field, text });
  };
  if (!state.shots.length) out.push({ field: "take", text: tr("Take a picture, or choose one") });
  const large = state.shots.findIndex((s) => limit && s.file.size > limit);
  if (large >= 0) out.push({ field: "take", text: tr("Number {n} is larger than the limit of {size}. Send a shorter video or a smaller picture.", { n: large + 1, size: size(limit) }) });
  need("body_site", tr("Say which part of the body this shows"));
  need("team", tr("Choose the team that this picture belongs to"));
  need("consent", tr("Choose what the patient agreed to"));
  need("consent_given_by", tr("Choose who gave the consent"));
  if (/^(attorney|best-interests)$/.test(String(data.get("consent_given_by")))) need("consent_detail", tr("Say who decided for the patient"));
  return out;
}

async function pressed(form: HTMLFormElement, by: HTMLButtonElement): Promise<void> {
  const action = by.getAttribute("formaction") ?? "", mistakes = action === "/send/patient" ? wanted() : [];
  show(mistakes);
  if (mistakes.length) return;
  by.disabled = true;
  await aside(form, action);
  by.disabled = false;
}

let turn = 0; // of asking: an answer that comes after another question is none any more

/** aside sends the form without its pictures and puts the answer's parts in place. Nobody asked when it was typing alone that did. */
async function aside(form: HTMLFormElement, action: string, asked = true): Promise<void> {
  const before = typedIn(form), mine = ++turn;
  try {
    const answer = await fetch(action, { method: "POST", body: before, credentials: "same-origin", redirect: "manual" });
    if (answer.type === "opaqueredirect") { // to the sign-in page
      if (await signInAgain()) return await aside(form, action, asked);
      return;
    }
    const page = parsed(await answer.text());
    if (mine !== turn || whose(typedIn(form)) !== whose(before)) return; // it answers for another patient than is typed by now
    for (const id of ["found", "cases"]) {
      const fresh = page.getElementById(id), old = byId(id);
      if (fresh && old) old.replaceWith(document.adoptNode(fresh));
    }
    const problem = page.querySelector("#problem li"), link = problem?.querySelector("a");
    show(problem ? [{ field: link?.getAttribute("href")?.slice(1) ?? "", text: problem.textContent ?? "" }] : [], asked);
  } catch {
    if (mine !== turn) return;
    if (action === "/send/patient") {
      document.dispatchEvent(new Event("patient-unchecked"));
      return;
    }
    show([{ field: "", text: tr("The server cannot be reached. Check your signal and try again; nothing is lost.") }], asked);
  }
  document.dispatchEvent(new Event("patient-checked"));
}

function typedIn(form: HTMLFormElement): URLSearchParams {
  const data = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string") data.append(name, value);
  return data;
}

const whose = (data: URLSearchParams): string => ["patient_number_kind", "patient_number", "dob_day", "dob_month", "dob_year"].map((n) => data.get(n)).join("\n");

/** formOf is all that is sent of one picture: what was entered, and the picture under "file". */
function formOf(form: HTMLFormElement, shot: Shot): FormData {
  const data = new FormData(form);
  data.set("idempotency_key", shot.key);
  data.set("captured_with", shot.way);
  if (shot.takenAt && !data.get("captured_at")) data.set("captured_at", shot.takenAt.toISOString());
  const ending = { "image/jpeg": ".jpg", "image/png": ".png", "video/mp4": ".mp4", "video/webm": ".webm" }[shot.file.type] ?? "";
  data.set("file", shot.file, (shot.video ? "video" : "picture") + ending); // its own name may name somebody
  return data;
}

/** Where a picture is, once it is filed. */
interface Filed { location: string; way?: Way }

/** Sent is a picture that is filed, or kept on this phone until the signal is back. */
type Sent = Filed | "kept";

/** sendAll sends the pictures one by one. What fails stays, and can be sent again. */
async function sendAll(form: HTMLFormElement, who: Patient): Promise<void> {
  const go = byId("go") as HTMLButtonElement, mistakes = missing(form);
  if (go.disabled) return; // a second tap
  show(mistakes);
  if (mistakes.length) return;
  // Nothing that is touched meanwhile can change whose pictures these are.
  const still = [byId("rest"), byId("patient-bar"), byId("waiting")].filter((e) => e !== null);
  const forms = state.shots.map((shot): [Shot, FormData] => [shot, formOf(form, shot)]);
  const whole = forms.length, filed: Sent[] = [], said = byId("sent") as HTMLElement;
  go.disabled = true;
  for (const e of still) e.inert = true;
  try {
    for (const [shot, data] of forms) {
      said.textContent = tr("Sending {n} of {all}…", { n: filed.length + 1, all: whole });
      said.scrollIntoView({ block: "nearest" });
      const answer = await sendShot(data, shot);
      if (answer !== "kept" && !("location" in answer)) {
        said.textContent = filed.length ? tr("{n} of {all} sent.", { n: filed.length, all: whole }) : "";
        show([{ field: mayStand(answer.field), text: answer.detail + (filed.length ? " " + trn(filed.length, "{n} picture sent before this; what is left is still here.", "{n} pictures sent before this; what is left is still here.") : "") }]);
        break;
      }
      filed.push(answer === "kept" ? answer : { ...answer, way: shot.way });
      drop(shot);
    }
  } finally {
    go.disabled = false;
    for (const e of still) e.inert = false;
  }
  past.push(...filed);
  changed();
  if (!state.shots.length) finished(form, who);
}

const past: Sent[] = []; // of the patient, filed before the signal was lost

/** mayStand gives a field that is in sight, for the message beside it. */
function mayStand(field = ""): string {
  if (field === "file") return "take";
  const group = byId("rest")?.querySelector(`[data-field="${CSS.escape(field)}"]`), folded = group?.closest("details");
  if (folded) folded.open = true;
  return group ? field : "";
}

async function sendShot(data: FormData, shot: Shot): Promise<Problem | Sent> {
  const tell = (percent: number): void => {
    if (shot.percent !== percent || shot.state !== "sending") {
      Object.assign(shot, { state: "sending", percent });
      changed();
    }
  };
  tell(0);
  const answer = await sendByQueue(data, tell);
  if (answer === "kept" || "location" in answer) return answer;
  Object.assign(shot, { state: "failed", why: answer.detail });
  changed();
  return answer.status === 401 && await signInAgain() ? sendShot(data, shot) : answer;
}

/** finished tells what was filed or kept: one filed picture on its own page, several here. */
function finished(form: HTMLFormElement, who: Patient): void {
  const sent = past.splice(0), filed = sent.filter((f) => f !== "kept"), kept = sent.length - filed.length;
  clear(form);
  const only = filed[0];
  if (sent.length === 1 && only && !state.waiting.length) {
    location.assign(only.location);
    return;
  }
  const ids = filed.map((f) => /^\/pictures\/([0-9a-f-]+)/.exec(f.location)?.[1]).filter((id) => id !== undefined);
  const done = make("div", { class: "ws-done", id: "done-list", tabindex: "-1", role: "status" },
    make("h2", { class: "ws-done__title" }, [filed.length ? trn(filed.length, "{n} picture filed and encrypted", "{n} pictures filed and encrypted") : "", kept ? trn(kept, "{n} picture kept on this phone, encrypted", "{n} pictures kept on this phone, encrypted") : ""].filter(Boolean).join(", ")),
    make("p", {}, tr("For {name}, born {born}.", { name: who.name, born: who.born })),
    ...kept ? [make("p", {}, tr("What is kept goes by itself when the signal is back, also when you close this page. It is listed under Waiting until it is filed."))] : [],
    make("ul", { class: "nhsuk-list" }, ...filed.map((f, i) => make("li", {}, make("a", { href: f.location }, tr("Picture {n}", { n: i + 1 })), f.location.endsWith("before") ? " " + tr("(was filed before)") : ""))),
    ...ids.length > 1 ? [make("p", {}, make("a", { href: "/ask?" + ids.map((id) => "item=" + id).join("&") }, tr("Ask somebody about them")))] : [],
    ...filed.some((f) => f.way === "file") ? [make("p", {}, make("strong", {}, tr("Now delete the originals")), " " + tr("from the device that you chose them from."))] : [],
    make("p", {}, tr("Take more of this patient below, or change the patient.")));
  byId("sent")!.textContent = "";
  byId("messages")?.replaceChildren(done);
  done.focus();
}
