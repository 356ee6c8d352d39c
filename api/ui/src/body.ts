import { byId } from "./small";
import { tr } from "./words";

// A part of the body: its name, where it is in the drawing (200 by 404), and
// finer places that may be chosen after it. A part with a side is drawn twice.
// Left is the patient's left: on the right of the front, on the left of the back.
type Part = [name: string, x: number, y: number, w: number, h: number, side: boolean, finer?: string[]];

const front: Part[] = [
  ["head", 78, 2, 44, 44, false, ["forehead", "scalp", "nose", "mouth", "chin"]],
  ["neck", 86, 48, 28, 28, false],
  ["shoulder", 40, 72, 28, 30, true],
  ["chest", 70, 78, 60, 48, false, ["right side", "left side", "breastbone"]],
  ["abdomen", 70, 128, 60, 42, false, ["upper", "lower", "navel"]],
  ["upper arm", 32, 104, 30, 42, true, ["inner side", "outer side"]],
  ["forearm", 22, 148, 30, 44, true, ["inner side", "elbow", "wrist"]],
  ["hand", 8, 194, 32, 36, true, ["palm", "thumb", "fingers"]],
  ["groin", 86, 172, 28, 30, false],
  ["hip", 54, 172, 30, 30, true],
  ["thigh", 66, 204, 32, 62, true, ["inner side", "outer side"]],
  ["knee", 67, 268, 30, 28, true],
  ["shin", 68, 298, 29, 70, true, ["upper", "lower"]],
  ["foot", 58, 370, 38, 34, true, ["toes", "big toe", "top", "ankle"]],
];

const back: Part[] = [
  ["back of the head", 78, 2, 44, 44, false, ["ear"]],
  ["back of the neck", 86, 48, 28, 28, false],
  ["shoulder blade", 66, 78, 33, 40, true],
  ["back of the upper arm", 32, 82, 30, 46, true],
  ["elbow", 26, 130, 30, 28, true],
  ["back of the forearm", 20, 160, 30, 34, true],
  ["back of the hand", 6, 196, 32, 34, true, ["knuckles", "fingers"]],
  ["lower back", 66, 120, 68, 36, false],
  ["sacrum", 86, 158, 28, 30, false, ["tail bone"]],
  ["buttock", 54, 158, 30, 44, true, ["sitting bone"]],
  ["back of the thigh", 66, 204, 32, 58, true],
  ["back of the knee", 67, 264, 30, 28, true],
  ["calf", 68, 294, 29, 72, true],
  ["heel", 60, 370, 36, 32, true, ["sole", "ankle", "Achilles tendon"]],
];

const svg = <K extends keyof SVGElementTagNameMap>(tag: K, attributes: Record<string, string | number>): SVGElementTagNameMap[K] => {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, String(value));
  return e;
};

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** body draws a map of the body that fills the field "body site"; the field stays, for what the map does not have. */
export function body(form: HTMLFormElement): void {
  const place = byId("body-map"), field = byId("body_site");
  if (!place || !(field instanceof HTMLInputElement)) return;
  const map = svg("svg", { viewBox: "0 0 404 432", role: "radiogroup", "aria-label": tr("Map of the body"), class: "ws-body" });
  const finer = document.createElement("p");
  finer.className = "ws-finer";
  const parts: SVGGElement[] = [];
  for (const [title, all, x] of [["Front", front, 0], ["Back", back, 204]] as const) {
    const label = svg("text", { x: x + 100, y: 428, class: "ws-body__title", "aria-hidden": "true" });
    label.textContent = title === "Front" ? tr("Front") : tr("Back");
    map.append(label);
    for (const [at, text] of [[4, title === "Front" ? "R" : "L"], [196, title === "Front" ? "L" : "R"]] as const) {
      const side = svg("text", { x: x + at, y: 24, class: "ws-body__side", "aria-hidden": "true", "text-anchor": at < 100 ? "start" : "end" });
      side.textContent = text === "R" ? tr("R") : tr("L");
      map.append(side);
    }
    for (const part of all) for (const side of part[5] ? ["right", "left"] : [""]) parts.push(draw(part, side, x, title === "Front"));
  }
  map.append(...parts);
  const hint = document.createElement("p");
  hint.className = "nhsuk-hint";
  hint.textContent = tr("Or tap the place. R and L are the patient’s own right and left.");
  place.append(hint, map, finer);
  place.hidden = false;
  const ends = [parts[0], parts[parts.length - 1]];

  map.addEventListener("click", (event) => {
    const part = event.target instanceof Element ? event.target.closest<SVGGElement>("[data-site]") : null;
    if (part) choose(part);
  });
  map.addEventListener("keydown", (event) => {
    const at = parts.findIndex((p) => p === document.activeElement), step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step && at >= 0) choose(parts[(at + step + parts.length) % parts.length]!);
    else if ((event.key === " " || event.key === "Enter") && at >= 0) choose(parts[at]!);
    else return;
    event.preventDefault();
  });
  field.addEventListener("input", () => mark());
  form.addEventListener("filled", () => mark());
  mark();

  function choose(part: SVGGElement): void {
    field instanceof HTMLInputElement && (field.value = part.dataset.site ?? "");
    mark();
    part.focus();
    field?.dispatchEvent(new Event("chosen", { bubbles: true }));
  }

  /** mark shows which part is in the field, and offers what is finer. */
  function mark(): void {
    const now = field instanceof HTMLInputElement ? field.value.trim().toLowerCase() : "";
    const chosen = parts.find((p) => now === p.dataset.site?.toLowerCase() || now.startsWith(p.dataset.site?.toLowerCase() + ", "));
    for (const p of parts) {
      p.setAttribute("aria-checked", String(p === chosen));
      p.setAttribute("tabindex", p === chosen || (!chosen && p === ends[0]) ? "0" : "-1");
    }
    finer.replaceChildren();
    for (const name of chosen?.dataset.finer?.split("|") ?? []) {
      if (!chosen || !name) continue;
      const button = document.createElement("button"), site = `${chosen.dataset.site}, ${name}`;
      button.type = "button";
      button.className = "nhsuk-button nhsuk-button--secondary nhsuk-button--small";
      button.textContent = capital(tr(name));
      button.setAttribute("aria-pressed", String(now === site.toLowerCase()));
      button.addEventListener("click", () => {
        if (field instanceof HTMLInputElement) field.value = site;
        mark();
        [...finer.querySelectorAll("button")].find((b) => b.textContent === capital(tr(name)))?.focus();
      });
      finer.append(button);
    }
  }
}

function draw([name, x, y, w, h, , finer]: Part, side: string, offset: number, ofFront: boolean): SVGGElement {
  const site = capital(side ? `${side} ${name}` : name); // for the record, which is in English
  const says = capital(side === "left" ? tr("left {part}", { part: tr(name) }) : side ? tr("right {part}", { part: tr(name) }) : tr(name));
  // The row above is drawn for the left of the picture: the patient's right of the front, left of the back.
  const mirrored = side !== "" && (side === "left") === ofFront;
  const g = svg("g", { role: "radio", "aria-label": says, "aria-checked": "false", "data-site": site, tabindex: "-1", class: "ws-body__part" });
  g.append(svg("rect", { x: offset + (mirrored ? 200 - x - w : x), y, width: w, height: h, rx: Math.min(w, h) / 2.6 }));
  if (finer) g.dataset.finer = finer.join("|");
  return g;
}
