import { choose } from "./choose";
import { called, differs, inside, say, spaced, type Kind } from "./number";
import { scan } from "./scan";
import { changed, drop, onChange, same, state, type Held, type Patient } from "./sets";
import { byId, make, show, type Mistake } from "./small";
import { language, tr, trn } from "./words";

const typed = (id: string): string => (byId(id) as HTMLInputElement | HTMLSelectElement | null)?.value.trim() ?? "";
const put = (id: string, value: string): void => { (byId(id) as HTMLInputElement | HTMLSelectElement).value = value; };

/** What is entered about the pictures, besides whose they are. */
const details = ["body_site", "note", "case", "consent_detail", "captured_at"], choices = ["consent", "consent_given_by"];

/**
 * patient is the first step: nothing is taken before the name and date of
 * birth of the patient were confirmed, and from then on they stay in sight.
 * check asks the server who the patient is.
 */
export function patient(form: HTMLFormElement, check: () => Promise<void>): void {
  const rest = byId("rest") as HTMLElement;
  rest.hidden = true;
  let checked = "", soon = 0;
  const kind = document.querySelector<HTMLElement>("[data-field=patient_number_kind]");
  if (kind) kind.hidden = true; // the number says it
  const look = (): void => { offerScan(); confirm(form, rest, () => look()); tell(); };

  form.addEventListener("input", (event) => {
    const field = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement ? event.target.name : "";
    if (!/^(patient_number|dob_.*|sex)$/.test(field)) return;
    byId("found")?.replaceChildren(); // what was found belongs to what was typed then
    tell();
    const whole = complete();
    clearTimeout(soon);
    if (whole && whole !== checked) soon = window.setTimeout(() => { checked = whole; void check(); }, 300);
    else if (!whole) checked = "";
  });
  document.addEventListener("click", (event) => { // the patient's bar is over the whole page, and so outside the form
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (button?.id === "scan") void scanned();
    else if (button?.getAttribute("formaction") === "/send/patient") { clearTimeout(soon); checked = complete(); } // asked by hand
    else if (button?.id === "patient-change") void change(form, rest).then((over) => { if (over) { checked = ""; look(); byId("patient_number")?.focus(); } });
    else if (button?.dataset.back !== undefined) void back(Number(button.dataset.back));
  });
  window.addEventListener("beforeunload", (event) => {
    if (state.shots.length || state.waiting.some((h) => h.shots.length)) event.preventDefault();
  });
  document.addEventListener("patient-checked", look);
  document.addEventListener("patient-unchecked", () => { unchecked(); confirm(form, rest, () => look()); checked = ""; });
  onChange(() => drawWaiting());
  look();

  /** tell says what the number is, and sets its kind. */
  function tell(): void {
    const number = say(typed("patient_number")), says = byId("number-says");
    if (!says) return;
    if (number.kind) (byId(number.kind === "chi" ? "patient_number_kind-chi" : "patient_number_kind") as HTMLInputElement).checked = true;
    const about = number.kind === "chi" ? chi(number.digits) : number.kind ? tr("This is an NHS number.") : "";
    says.textContent = number.problem ?? about;
    says.classList.toggle("ws-says--wrong", !!number.problem);
    for (const [field, id] of [["date_of_birth", "born-says"], ["sex", "sex-says"]] as const) {
      const place = byId(id);
      if (place) place.textContent = odd() === field ? oddWords[field] : "";
    }
  }

  function chi(digits: string): string {
    const own = inside(digits);
    const born = `${own.day}.${own.month}.${own.year ?? "…" + String(own.short).padStart(2, "0")}`;
    return own.sex === "male" ? tr("This is a CHI number: born {born}, male.", { born }) : tr("This is a CHI number: born {born}, female.", { born });
  }

  /** complete gives what would be asked of the server, once all of it can be right. */
  function complete(): string {
    const number = say(typed("patient_number")), year = typed("dob_year");
    return number.kind && !odd() && typed("date_of_birth") && typed("dob_month") && /^\d{4}$/.test(year) ? [number.digits, typed("date_of_birth"), typed("dob_month"), year, typed("sex")].join(" ") : "";
  }

  async function scanned(): Promise<void> {
    const band = await scan(form);
    if (!band) return;
    put("patient_number", spaced(band.digits));
    (byId(band.kind === "chi" ? "patient_number_kind-chi" : "patient_number_kind") as HTMLInputElement).checked = true;
    const own = band.kind === "chi" ? inside(band.digits) : undefined, born = band.born;
    put("date_of_birth", String(born?.day ?? own?.day ?? ""));
    put("dob_month", String(born?.month ?? own?.month ?? ""));
    put("dob_year", String(born?.year ?? own?.year ?? ""));
    byId("patient_number")?.dispatchEvent(new Event("input", { bubbles: true }));
    byId(born?.year ?? own?.year ? "patient_number" : own ? "dob_year" : "date_of_birth")?.focus();
  }

  /** back goes to a patient whose pictures wait; who they are is confirmed again. */
  async function back(which: number): Promise<void> {
    const held = state.waiting[which];
    if (!held) return;
    if (state.patient && busy(form)) keep(form, state.patient);
    clear(form);
    step(rest, null);
    for (const [name, value] of Object.entries(held.entered)) fill(form, name, value);
    await check();
  }
}

const oddWords = {
  date_of_birth: tr("This does not match the date of birth inside the CHI number. Check both against the wristband."),
  sex: tr("This does not match the sex inside the CHI number. Check both against the wristband."),
};

/** odd tells what of the typed details does not match a CHI number. */
function odd(): "date_of_birth" | "sex" | undefined {
  const number = say(typed("patient_number"));
  return number.kind === "chi" && (byId("patient_number_kind-chi") as HTMLInputElement).checked
    ? differs(number.digits, { day: typed("date_of_birth"), month: typed("dob_month"), year: typed("dob_year") }, typed("sex")) : undefined;
}

/** wanted lists what is missing before the server can be asked who it is. */
export function wanted(): Mistake[] {
  const out: Mistake[] = [], number = say(typed("patient_number"));
  if (!typed("patient_number")) out.push({ field: "patient_number", text: tr("Enter the patient’s number") });
  else if (number.problem) out.push({ field: "patient_number", text: number.problem });
  if (!typed("date_of_birth") || !typed("dob_month") || !typed("dob_year")) out.push({ field: "date_of_birth", text: tr("Enter the date of birth: day, month and year") });
  const wrong = odd();
  if (wrong) out.push({ field: wrong, text: oddWords[wrong] });
  return out;
}

/**
 * unchecked offers to go on with what was typed while there is no signal to
 * ask who it is. The server checks it when it arrives, and refuses what is not
 * right; then it is put right under Waiting.
 */
function unchecked(): void {
  const number = say(typed("patient_number")), day = typed("date_of_birth").padStart(2, "0"), month = typed("dob_month").padStart(2, "0");
  const born = new Date(`${typed("dob_year")}-${month}-${day}T12:00:00`);
  if (!number.kind || isNaN(born.getTime()) || born.getDate() !== Number(day)) return;
  const words = born.toLocaleDateString(language(), { day: "numeric", month: "long", year: "numeric" });
  const found = make("div", { class: "nhsuk-inset-text ws-found", "data-kind": number.kind, "data-number": number.digits, "data-name": tr("Patient not checked yet"), "data-born": words },
    make("p", {}, make("strong", {}, tr("There is no signal to check who this is.")), " ", tr("Compare with the wristband: {kind} number {number}, born {born}. It is checked when it arrives.", { kind: called(number.kind), number: spaced(number.digits), born: words })));
  byId("found")?.replaceChildren(found);
}

function offerScan(): void {
  const place = byId("scan");
  if (place && "mediaDevices" in navigator) place.hidden = false;
}

/** confirm asks whether the patient who was found is the one in front of the camera. */
function confirm(form: HTMLFormElement, rest: HTMLElement, again: () => void): void {
  const found = document.querySelector<HTMLElement>("#found .ws-found");
  if (!found || byId("yes")) return;
  const { kind, number, name, born } = found.dataset as Record<string, string>;
  const who: Patient = { kind: kind as Kind, number: number ?? "", name: name ?? "", born: born ?? "" };
  const yes = make("button", { class: "nhsuk-button ws-wide", type: "button", id: "yes" }, tr("Yes, this patient"));
  found.after(yes);
  yes.addEventListener("click", () => {
    const before = state.waiting.find((h) => same(h.patient, who));
    if (before) {
      state.waiting = state.waiting.filter((h) => h !== before);
      state.shots = [...before.shots, ...state.shots];
      for (const name of [...details, ...choices]) if (!entered(form, name)) fill(form, name, before.entered[name] ?? "");
    }
    step(rest, who);
    again();
    byId("take")?.focus();
  });
  // Not to the button: who presses Enter after the year has not read the name.
  found.tabIndex = -1;
  found.focus();
  yes.scrollIntoView({ block: "nearest" });
}

/** step goes to the pictures of a patient, or back to who it is. */
function step(rest: HTMLElement, who: Patient | null): void {
  state.patient = who;
  const bar = byId("patient-bar") as HTMLElement, first = byId("patient") as HTMLElement;
  bar.hidden = rest.hidden = !who;
  first.hidden = !!who;
  const text = byId("patient-is");
  if (who) text?.replaceChildren(...naming(who));
  byId("found")?.replaceChildren(); // nobody can be confirmed again by an answer from before
  show([]);
  changed();
  if (who) scrollTo(0, 0);
}

/** naming is how a patient is told from another wherever pictures are taken. */
export function naming(who: Patient): Node[] {
  return [make("strong", {}, who.name), make("span", {}, tr("born {born}", { born: who.born })), make("span", {}, `${called(who.kind)} ${spaced(who.number)}`)];
}

/** change asks what becomes of the pictures and of what was entered, and reports whether the patient is given up. */
async function change(form: HTMLFormElement, rest: HTMLElement): Promise<boolean> {
  const who = state.patient;
  if (!who) return false;
  if (busy(form)) {
    const n = state.shots.length;
    const name = who.name, some = Math.max(n, 1); // what was entered is one thing
    const what = n ? trn(n, "{n} picture of {name} is not sent. What should happen to it?", "{n} pictures of {name} are not sent. What should happen to them?", { name })
      : tr("What you entered about {name} is not sent. What should happen to it?", { name });
    const answer = await choose(tr("Change the patient?"), what, [
      ["keep", trn(some, "Keep it for {name}", "Keep them for {name}", { name })], ["move", trn(some, "Move it to the patient I choose next", "Move them to the patient I choose next")],
      ["discard", trn(some, "Discard it", "Discard them")], ["", tr("Stay with {name}", { name })],
    ]);
    if (answer === "") return false;
    if (answer === "keep") keep(form, who);
    if (answer === "move") for (const s of state.shots) s.from ??= who.name;
    if (answer === "discard") for (const s of [...state.shots]) drop(s);
    if (answer !== "move") clear(form);
  }
  for (const id of ["patient_number", "date_of_birth", "dob_month", "dob_year", "sex"]) put(id, "");
  byId("cases")?.replaceChildren();
  step(rest, null);
  return true;
}

/** busy reports whether there is anything that belongs to the patient. */
function busy(form: HTMLFormElement): boolean {
  return state.shots.length > 0 || ["body_site", "note", "consent", "consent_detail"].some((name) => entered(form, name));
}

/** keep sets pictures and entries aside until somebody goes back to them. */
function keep(form: HTMLFormElement, who: Patient): void {
  const all: Record<string, string> = {};
  for (const [name, value] of new FormData(form)) if (typeof value === "string" && name !== "idempotency_key") all[name] = value;
  const held: Held = { patient: who, entered: all, shots: state.shots };
  state.waiting = [...state.waiting.filter((h) => !same(h.patient, who)), held];
  state.shots = [];
}

/** clear empties what is entered about pictures. */
export function clear(form: HTMLFormElement): void {
  for (const name of details) fill(form, name, "");
  fill(form, "consent", "");
  fill(form, "consent_given_by", "patient");
  form.dispatchEvent(new Event("filled"));
}

function entered(form: HTMLFormElement, name: string): string { return String(new FormData(form).get(name) ?? "").trim(); }

function fill(form: HTMLFormElement, name: string, value: string): void {
  const field = form.elements.namedItem(name);
  if (field instanceof RadioNodeList) {
    for (const radio of field) if (radio instanceof HTMLInputElement) radio.checked = radio.value === value;
  } else if (field instanceof HTMLInputElement && field.type === "checkbox") field.checked = field.value === value;
  else if (field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement || field instanceof HTMLSelectElement) field.value = value;
  form.dispatchEvent(new Event("filled"));
}

/** drawWaiting shows whose pictures wait, with the way back to them. */
function drawWaiting(): void {
  const place = byId("waiting");
  place?.replaceChildren(...state.waiting.map((h, i) => make("div", { class: "nhsuk-inset-text ws-aside" },
    make("p", {}, h.shots.length ? trn(h.shots.length, "{n} picture of {name}, born {born}, not sent yet.", "{n} pictures of {name}, born {born}, not sent yet.", { name: h.patient.name, born: h.patient.born })
      : tr("What you entered of {name}, born {born}, not sent yet.", { name: h.patient.name, born: h.patient.born })),
    make("button", { class: "nhsuk-button nhsuk-button--secondary", type: "button", "data-back": String(i) }, tr("Go back to {name}", { name: h.patient.name })))));
}
