import { add, camera, canPhotograph, flagWords, wayWords } from "./camera";
import { changed, drop, onChange, state, type Shot } from "./sets";
import { byId, make } from "./small";
import { tr, trn } from "./words";

/**
 * capture is the step in which pictures are taken. What is taken is in the
 * memory of this page only, so nothing lands in the camera roll.
 */
export function capture(form: HTMLFormElement): void {
  const file = byId("file") as HTMLInputElement, ways = byId("ways") as HTMLElement;
  byId("rest")?.prepend(byId("picture") as HTMLElement);
  file.multiple = true;
  file.removeAttribute("name"); // each picture is sent by itself
  file.addEventListener("change", () => void chosen(file, "file"));
  const native = make("input", { type: "file", accept: "image/*,video/*", capture: "environment", id: "native", class: "nhsuk-u-visually-hidden", tabindex: "-1", "aria-hidden": "true" });
  native.addEventListener("change", () => { void chosen(native, "native", instead); instead = undefined; });
  const take = make("button", { class: "nhsuk-button ws-wide", type: "button", id: "take" }, tr("Take pictures"));
  const phone = make("button", { class: "nhsuk-button nhsuk-button--secondary ws-wide", type: "button", id: "take-native" }, tr("Use the phone’s camera"));
  take.addEventListener("click", () => void (firstWay() === "native" ? native.click() : camera(form)));
  phone.addEventListener("click", () => native.click());
  phone.hidden = !matchMedia("(pointer: coarse)").matches || firstWay() === "native";
  ways.append(take, phone, native);
  // What is seldom needed is folded away.
  const others = [byId("file-group"), document.querySelector("[data-field=captured_at]")].filter((e) => e !== null);
  byId("chosen")?.after(make("details", { class: "nhsuk-details" }, make("summary", { class: "nhsuk-details__summary" }, make("span", { class: "nhsuk-details__summary-text" }, tr("Choose a file, or say when it was taken"))),
    make("div", { class: "nhsuk-details__text" }, ...others)));
  onChange(() => draw(form));
}

let instead: Shot | undefined; // what the next picture of the phone's camera replaces

function retake(form: HTMLFormElement, s: Shot): void {
  if (s.way !== "native") return void camera(form, s);
  instead = s;
  byId("native")?.click();
}

/** firstWay is the best that this device can: photos at full resolution, the phone's own camera, or frames. */
function firstWay(): "camera" | "native" {
  return canPhotograph() || (!matchMedia("(pointer: coarse)").matches && "mediaDevices" in navigator) ? "camera" : "native";
}

async function chosen(input: HTMLInputElement, way: "file" | "native", first?: Shot): Promise<void> {
  const files = [...input.files ?? []];
  input.value = ""; // the same file can be chosen again after it was removed
  await Promise.all(files.map((file, i) => add(file, way, null, i ? undefined : first)));
}

/** draw shows what is taken, with what to do about each. */
function draw(form: HTMLFormElement): void {
  const place = byId("chosen");
  if (!place) return;
  const kept = new Map([...place.querySelectorAll<HTMLElement>("[data-key]")].map((e) => [e.dataset.key, e]));
  place.replaceChildren(...state.shots.map((s, i) => tile(form, s, i, kept.get(s.key))));
  const sound = byId("sound-group"), old = byId("delete-original");
  if (sound) sound.hidden = !state.shots.some((s) => s.video && s.way !== "camera"); // the page records without sound
  if (old) old.hidden = !state.shots.some((s) => s.way === "file");
  const go = byId("go");
  if (go) go.textContent = state.shots.length > 1 ? trn(state.shots.length, "Send {n} picture securely", "Send {n} pictures securely") : tr("Send securely");
}

function tile(form: HTMLFormElement, s: Shot, i: number, before?: HTMLElement): HTMLElement {
  const name = s.video ? tr("Video {n}", { n: i + 1 }) : tr("Picture {n}", { n: i + 1 });
  const picture = before?.querySelector("img, video, .ws-shot__none") ?? shownOf(s, name); // a video is not loaded anew
  const words = make("div", { class: "ws-shot__text" }, make("strong", {}, name), make("span", {}, [wayWords[s.way], size(s.file.size)].join(", ")));
  if (s.from) words.append(make("span", { class: "ws-shot__odd" }, tr("Moved from {name}", { name: s.from })));
  for (const f of s.flags) words.append(make("span", { class: "ws-shot__odd" }, s.way === "file" ? flagWords[f].replace(/\..*/, ".") : flagWords[f]));
  if (s.state === "sending") words.append(make("progress", { max: "100", value: String(s.percent), "aria-label": tr("Sending {name}", { name }) }), make("span", {}, s.percent >= 100 ? tr("Being cleaned and encrypted…") : tr("{n} % sent", { n: s.percent })));
  if (s.state === "failed") words.append(make("span", { class: "ws-shot__odd" }, tr("Not sent. {why}", { why: s.why ?? "" })));
  const keys = make("div", { class: "ws-shot__keys" });
  if (s.state !== "sending") {
    if (s.way !== "file" && !s.video) keys.append(key(tr("Retake"), name, () => retake(form, s)));
    keys.append(key(tr("Remove"), name, () => { drop(s); changed(); byId("take")?.focus(); }));
  }
  return make("li", { class: "ws-shot" + (s.flags.length ? " ws-shot--odd" : ""), "data-key": s.key }, picture, words, keys);
}

function shownOf(s: Shot, name: string): HTMLElement {
  const shown = s.video ? make("video", { controls: "", playsinline: "", preload: "metadata", "aria-label": name }) : make("img", { alt: name });
  shown.addEventListener("error", () => shown.replaceWith(make("span", { class: "ws-shot__none" }, tr("This browser cannot show it beforehand; it can be sent all the same."))));
  shown.src = s.url;
  return shown;
}

function key(text: string, name: string, press: () => void): HTMLButtonElement {
  const button = make("button", { class: "nhsuk-button nhsuk-button--secondary nhsuk-button--small", type: "button" }, text, make("span", { class: "nhsuk-u-visually-hidden" }, " " + name.toLowerCase()));
  button.addEventListener("click", press);
  return button;
}

/** size is a number of bytes as people say it. */
export function size(n: number): string {
  return n < 1 << 20 ? tr("{n} KB", { n: Math.max(1, Math.round(n / 1024)) }) : tr("{n} MB", { n: (n / (1 << 20)).toFixed(1) });
}
