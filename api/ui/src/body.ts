import { byId } from "./small";

// A part of the body: its name, where it is in the drawing (200 by 420), and
// finer places that may be chosen after it. A part with a side is drawn twice.
// Left is the patient's left: on the right of the front, on the left of the back.
type Part = [name: string, x: number, y: number, w: number, h: number, side: boolean, finer?: string[]];

const front: Part[] = [
  ["head", 80, 4, 40, 48, false, ["forehead", "scalp", "nose", "mouth", "chin"]],
  ["neck", 88, 54, 24, 14, false],
  ["shoulder", 46, 70, 24, 28, true],
  ["chest", 72, 70, 56, 52, false, ["right chest", "left chest", "breastbone"]],
  ["abdomen", 72, 124, 56, 42, false, ["upper abdomen", "lower abdomen", "navel"]],
  ["upper arm", 38, 100, 24, 42, true, ["inner upper arm", "outer upper arm"]],
  ["forearm", 28, 144, 24, 46, true, ["inner forearm", "elbow", "wrist"]],
  ["hand", 16, 192, 28, 34, true, ["palm", "thumb", "fingers"]],
  ["groin", 86, 168, 28, 22, false],
  ["hip", 58, 168, 26, 28, true],
  ["thigh", 66, 198, 30, 66, true, ["inner thigh", "outer thigh"]],
  ["knee", 68, 266, 28, 26, true],
  ["shin", 70, 294, 25, 70, true, ["upper shin", "lower shin"]],
  ["foot", 62, 378, 34, 30, true, ["toes", "big toe", "top of the foot", "ankle"]],
];

const back: Part[] = [
  ["back of the head", 80, 4, 40, 48, false, ["ear"]],
  ["back of the neck", 88, 54, 24, 14, false],
  ["shoulder blade", 64, 72, 34, 40, true],
  ["back of the upper arm", 36, 80, 26, 52, true],
  ["elbow", 32, 134, 26, 26, true],
  ["back of the forearm", 26, 162, 24, 34, true],
  ["back of the hand", 14, 198, 28, 32, true, ["knuckles", "fingers"]],
  ["lower back", 70, 114, 60, 36, false],
  ["sacrum", 86, 152, 28, 28, false, ["tail bone"]],
  ["buttock", 56, 154, 28, 42, true, ["sitting bone"]],
  ["back of the thigh", 66, 200, 30, 60, true],
  ["back of the knee", 68, 262, 28, 26, true],
  ["calf", 70, 290, 26, 72, true],
  ["heel", 66, 376, 30, 30, true, ["sole", "ankle", "Achilles tendon"]],
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
  const map = svg("svg", { viewBox: "0 0 420 444", role: "radiogroup", "aria-label": "Map of the body", class: "ws-body" });
  const finer = document.createElement("p");
  finer.className = "ws-finer";
  const parts: SVGGElement[] = [];
  for (const [title, all, x] of [["Front", front, 0], ["Back", back, 220]] as const) {
    const label = svg("text", { x: x + 100, y: 440, class: "ws-body__title", "aria-hidden": "true" });
    label.textContent = title;
    map.append(label);
    for (const [at, text] of [[4, title === "Front" ? "R" : "L"], [196, title === "Front" ? "L" : "R"]] as const) {
      const side = svg("text", { x: x + at, y: 24, class: "ws-body__side", "aria-hidden": "true", "text-anchor": at < 100 ? "start" : "end" });
      side.textContent = text;
      map.append(side);
    }
    for (const part of all) for (const side of part[5] ? ["right", "left"] : [""]) parts.push(draw(part, side, x, title === "Front"));
  }
  map.append(...parts);
  place.append(map, finer);
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
      button.textContent = capital(name);
      button.setAttribute("aria-pressed", String(now === site.toLowerCase()));
      button.addEventListener("click", () => {
        if (field instanceof HTMLInputElement) field.value = site;
        mark();
        [...finer.querySelectorAll("button")].find((b) => b.textContent === capital(name))?.focus();
      });
      finer.append(button);
    }
  }
}

function draw([name, x, y, w, h, , finer]: Part, side: string, offset: number, ofFront: boolean): SVGGElement {
  const site = capital(side ? `${side} ${name}` : name);
  // The row above is drawn for the left of the picture: the patient's right of the front, left of the back.
  const mirrored = side !== "" && (side === "left") === ofFront;
  const g = svg("g", { role: "radio", "aria-label": site, "aria-checked": "false", "data-site": site, tabindex: "-1", class: "ws-body__part" });
  g.append(svg("rect", { x: offset + (mirrored ? 200 - x - w : x), y, width: w, height: h, rx: Math.min(w, h) / 2.6 }));
  if (finer) g.dataset.finer = finer.join("|");
  return g;
}
