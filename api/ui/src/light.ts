// Light: how a picture is shown, never how it is kept. Each setting is a
// filter of the browser's own; the curves are for what a lamp or a screen
// hides: redness in darker skin lies in the shadows, which they open without
// burning out what is bright.
import { make } from "./small";
import type { Surface } from "./surface";
import { tr } from "./words";

interface Setting { brightness: number; contrast: number; gamma: number; colour: number }

const asTaken: Setting = { brightness: 100, contrast: 100, gamma: 1, colour: 1 };
const presets: [name: string, setting: Setting][] = [
  [tr("As taken"), asTaken],
  [tr("Darker skin"), { brightness: 104, contrast: 112, gamma: .68, colour: 1.25 }],
  [tr("Poor light"), { brightness: 118, contrast: 108, gamma: .55, colour: 1.1 }],
  [tr("Glare"), { brightness: 82, contrast: 118, gamma: 1.35, colour: 1 }],
];

const svg = "http://www.w3.org/2000/svg";
let made = 0;

/** light gives the panel that sets the light of surfaces, and a word to show while it is not as taken. */
export function light(surfaces: Surface[], badge: HTMLElement): HTMLElement {
  const id = "light-" + ++made;
  let now = { ...asTaken };
  const [filter, curve] = curves(id);
  const buttons = presets.map(([name, setting]) => {
    const b = make("button", { class: "ws-tool", type: "button", "aria-pressed": String(setting === asTaken) }, name);
    b.addEventListener("click", () => set(setting));
    return b;
  });
  const slider = (name: string, key: "brightness" | "contrast"): [HTMLElement, HTMLInputElement] => {
    const input = make("input", { type: "range", class: "ws-slider", id: `${id}-${key}`, min: "40", max: "220", step: "2", value: "100" });
    input.addEventListener("input", () => { now[key] = Number(input.value); apply(); });
    return [make("div", { class: "ws-panel__slide" }, make("label", { for: input.id }, name), input), input];
  };
  const [brightRow, bright] = slider(tr("Brightness"), "brightness"), [contrastRow, contrast] = slider(tr("Contrast"), "contrast");

  const set = (to: Setting): void => {
    now = { ...to };
    [bright.value, contrast.value] = [String(now.brightness), String(now.contrast)];
    apply();
  };
  const apply = (): void => {
    const plain = presets[0]![1];
    const same = (s: Setting): boolean => (Object.keys(s) as (keyof Setting)[]).every((k) => s[k] === now[k]);
    buttons.forEach((b, i) => b.setAttribute("aria-pressed", String(same(presets[i]![1]))));
    curve(now);
    const text = same(plain) ? "" : `${now.gamma !== 1 || now.colour !== 1 ? `url(#${id}) ` : ""}brightness(${now.brightness}%) contrast(${now.contrast}%)`;
    for (const s of surfaces) for (const e of s.drawn()) e.style.filter = text;
    badge.textContent = same(plain) ? "" : tr("Light changed: {how}", { how: presets.find(([, s]) => same(s))?.[0] ?? tr("by hand") });
    badge.hidden = !badge.textContent;
  };
  return make("div", { class: "ws-panel" },
    make("p", {}, tr("Only for looking: the picture itself stays as it was taken. Colours are not true while this is on.")),
    make("div", { class: "ws-tools", role: "group", "aria-label": tr("Light") }, ...buttons), brightRow, contrastRow, filter);
}

/** curves makes a filter that bends the tones and lifts the colour. */
function curves(id: string): [Element, (s: Setting) => void] {
  const node = (name: string, attributes: Record<string, string> = {}): SVGElement => {
    const e = document.createElementNS(svg, name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    return e;
  };
  const tones = ["R", "G", "B"].map((channel) => node("feFunc" + channel, { type: "gamma", amplitude: "1", exponent: "1", offset: "0" }));
  const bend = node("feComponentTransfer");
  bend.append(...tones);
  const colour = node("feColorMatrix", { type: "saturate", values: "1" });
  const filter = node("filter", { id, "color-interpolation-filters": "sRGB", x: "0", y: "0", width: "1", height: "1" });
  filter.append(bend, colour);
  const holder = node("svg", { width: "0", height: "0", "aria-hidden": "true", focusable: "false", class: "ws-holder" });
  holder.append(filter);
  return [holder, (s) => {
    for (const t of tones) t.setAttribute("exponent", String(s.gamma));
    colour.setAttribute("values", String(s.colour));
  }];
}
