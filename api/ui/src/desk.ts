// The desk: measuring and marking, the sets that are kept, and the list that
// says in words what is drawn, for who cannot see or point.
import { ask, type Problem } from "./ask";
import { clock, type Scale } from "./geometry";
import { measured, mostShapes, Overlay, type Kind, type Layer, type Mark, type Marks } from "./marks";
import { Pen, type Ask } from "./pen";
import { make } from "./small";
import type { Surface } from "./surface";
import { language, tr } from "./words";

/** A set as the API gives it. */
interface Kept { id: string; series: string; version: number; author_name: string; mine: boolean; created_at: string; marks: Marks }

const colours = ["#ffeb3b", "#6fe3ff", "#ff9ff3", "#9dff8a", "#ffb26b"];
const ours = "#ffffff";
const words: Record<Kind, string> = { arrow: tr("Arrow"), outline: tr("Outline"), text: tr("Text"), note: tr("Note"), distance: tr("Distance"), area: tr("Area") };
const when = new Intl.DateTimeFormat(language(), { timeZone: "Europe/London", day: "numeric", month: "long", year: "numeric", hour: "numeric", minute: "2-digit", hour12: true });

export class Desk {
  readonly measurePanel: HTMLElement;
  readonly markPanel: HTMLElement;
  /** What is drawn and not saved, and the sets that are. */
  readonly list = make("div", { class: "ws-marks" });
  private readonly overlay: Overlay;
  private readonly pen: Pen;
  private readonly draft: Layer = { marks: { version: 1, shapes: [] }, colour: ours, shown: true };
  private kept: (Kept & { layer: Layer })[] = [];
  private replaces = "";
  private tool = "";
  private readonly hints: HTMLElement[] = [];
  private readonly buttons: HTMLButtonElement[] = [];
  private readonly finishes: HTMLButtonElement[] = [];
  private readonly said = make("p", { class: "ws-marks__said", role: "status" });

  /** marks is the address of the sets, or "" for none; the desk keeps new ones where annotates. */
  constructor(private readonly surface: Surface, private readonly marks: string, private readonly annotates: boolean) {
    this.overlay = new Overlay(surface);
    this.overlay.layers = [this.draft];
    this.pen = new Pen(this.overlay);
    this.pen.changed = () => { for (const b of this.finishes) b.hidden = !this.pen.open; };
    this.measurePanel = this.measuring();
    this.markPanel = this.marking();
    this.show();
    addEventListener("beforeunload", (event) => { if (this.busy) event.preventDefault(); });
  }

  /** There is something that is not saved. */
  get busy(): boolean { return this.annotates && (this.draft.marks.shapes.length > 0 || this.pen.begun); }

  /** rest puts the pen down, when its panel is closed. */
  rest(): void { this.use("", undefined); }

  async load(): Promise<void> {
    if (!this.marks) return;
    try {
      const { annotations } = await ask<{ annotations: Kept[] }>("GET", this.marks);
      const hidden = new Set(this.kept.filter((k) => !k.layer.shown).map((k) => k.series));
      this.kept = annotations.map((a, i) => ({ ...a, layer: { marks: a.marks, colour: colours[i % colours.length]!, shown: !hidden.has(a.series) } }));
      this.show();
    } catch (problem) {
      this.say((problem as Problem).detail);
    }
  }

  private say(text: string): void { this.said.textContent = text; }

  /** The scale that measures now: the draft's own, or the latest that was kept. */
  private get scale(): Scale | undefined { return this.draft.marks.scale ?? this.kept.map((k) => k.marks.scale).filter(Boolean).pop(); }

  private button(text: string, act: () => void, more: Record<string, string> = {}): HTMLButtonElement {
    const b = make("button", { class: "ws-tool", type: "button", ...more }, text);
    b.addEventListener("click", act);
    return b;
  }

  /** pick is a button that takes the pen up, and puts it down when pressed again. */
  private pick(text: string, name: string, hint: string, what: () => Ask | undefined): HTMLButtonElement {
    const b = this.button(text, () => {
      if (this.tool === name) this.use("", undefined);
      else {
        const asked = what();
        if (asked) this.use(name, asked, hint);
      }
    }, { "aria-pressed": "false", "data-tool": name });
    this.buttons.push(b);
    return b;
  }

  private use(name: string, asked: Ask | undefined, hint = ""): void {
    this.tool = name;
    this.pen.take(asked);
    for (const b of this.buttons) b.setAttribute("aria-pressed", String(b.dataset.tool === name));
    this.hint(hint);
    if (asked) {
      this.surface.hold?.();
      this.surface.element.focus({ preventScroll: true });
      this.surface.element.scrollIntoView({ block: "nearest" });
    }
  }

  private hint(text: string): void { for (const h of this.hints) h.textContent = text && text + " " + tr("By keyboard: move the cross with the arrows, set a point with Enter."); }

  private hintPlace(): HTMLElement {
    const p = make("p", { class: "ws-panel__hint", "aria-live": "polite" });
    this.hints.push(p);
    return p;
  }

  private finishButton(): HTMLButtonElement {
    const b = this.button(tr("Close the outline"), () => this.pen.finish());
    b.hidden = true;
    this.finishes.push(b);
    return b;
  }

  private measuring(): HTMLElement {
    const mm = make("input", { class: "nhsuk-input nhsuk-input--width-4", id: "ruler-mm", inputmode: "decimal", autocomplete: "off" });
    const form = make("form", { class: "ws-panel__form" }, make("label", { for: "ruler-mm" }, tr("How many millimetres lie between the two points?")), mm, make("button", { class: "ws-tool" }, tr("Set the scale")));
    form.noValidate = form.hidden = true;
    let ends: readonly [number, number][] = [];
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const n = Number(mm.value.trim().replace(",", "."));
      if (!(n >= .1 && n <= 2000)) {
        this.say(tr("Enter the millimetres as a number from 0.1 to 2,000, for example 50."));
        mm.focus();
        return;
      }
      this.draft.marks.scale = { from: ends[0]!, to: ends[1]!, mm: n };
      form.hidden = true;
      this.use("", undefined);
      this.say(tr("The scale is set. Now measure a distance or an area."));
      this.show();
    });
    const needScale = (then: Ask): Ask | undefined => {
      if (this.scale) return then;
      this.say(tr("Set the scale first: press “Set scale” and choose two points of a ruler in the picture."));
      return undefined;
    };
    return make("div", { class: "ws-panel" },
      make("p", {}, make("strong", {}, tr("An estimate.")), " ", tr("It is right only where ruler and wound lie flat in one plane, square to the camera.")),
      make("div", { class: "ws-tools", role: "group", "aria-label": tr("Measure") },
        this.pick(tr("Set scale"), "scale", tr("Choose two points of a ruler in the picture."), () => ({
          points: 2,
          done: (points) => {
            ends = points as [number, number][];
            this.overlay.pending = points;
            this.overlay.draw();
            form.hidden = false;
            mm.focus();
          },
        })),
        this.pick(tr("Distance"), "distance", tr("Choose two points."), () => needScale({ points: 2, done: (points) => this.add({ kind: "distance", points }) })),
        this.pick(tr("Area"), "area", tr("Draw around it, or set points and then close the outline."), () => needScale({ points: "outline", done: (points) => this.add({ kind: "area", points }) })),
        this.finishButton()),
      this.hintPlace(), form);
  }

  private marking(): HTMLElement {
    const text = make("textarea", { class: "nhsuk-textarea ws-panel__text", id: "mark-text", rows: "2", maxlength: "500" });
    const label = make("label", { for: "mark-text" }, tr("Text"));
    const add = make("button", { class: "ws-tool" }, tr("Add"));
    const form = make("form", { class: "ws-panel__form" }, label, text, add);
    let at: Mark["points"];
    const write = (what: string, points?: Mark["points"]): void => {
      [label.textContent, at] = [what, points];
      form.hidden = false;
      text.focus();
    };
    form.hidden = true;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!text.value.trim()) {
        this.say(tr("Write what the note says."));
        text.focus();
        return;
      }
      this.add(at ? { kind: "text", points: at, text: text.value.trim() } : { kind: "note", text: text.value.trim() });
      text.value = "";
      form.hidden = true;
    });
    return make("div", { class: "ws-panel" },
      make("p", {}, tr("Marks are kept beside the picture, with your name. The picture itself stays as it was taken.")),
      make("div", { class: "ws-tools", role: "group", "aria-label": tr("Mark") },
        this.pick(tr("Arrow"), "arrow", tr("Drag from its tail to its point, or choose the two."), () => ({ points: 2, done: (points) => this.add({ kind: "arrow", points }) })),
        this.pick(tr("Outline"), "outline", tr("Draw around it, or set points and then close the outline."), () => ({ points: "outline", done: (points) => this.add({ kind: "outline", points }) })),
        this.pick(tr("Text"), "text", tr("Choose the place."), () => ({ points: 1, done: (points) => write(tr("Text at this place"), points) })),
        this.button(tr("Note"), () => { this.use("", undefined); write(this.surface.moment ? tr("Note on the whole moment") : tr("Note on the whole picture")); }),
        this.finishButton()),
      this.hintPlace(), form);
  }

  private add(mark: Mark): void {
    const { marks } = this.draft;
    if (marks.shapes.length >= mostShapes) {
      this.say(tr("One set holds {n} marks. Save these, and start another.", { n: mostShapes }));
      return;
    }
    if (this.surface.moment) mark.at_ms = Math.max(Math.round(this.surface.moment()), 0);
    if ((mark.kind === "distance" || mark.kind === "area") && !marks.scale && this.scale) marks.scale = this.scale;
    marks.shapes.push(mark);
    const mark_ = this.words(mark, marks.scale);
    this.say(this.annotates ? tr("{mark}: added, not saved yet.", { mark: mark_ }) : tr("{mark}: added.", { mark: mark_ }));
    this.show();
  }

  private words(mark: Mark, scale: Scale | undefined): string {
    const size = measured(mark, scale, this.surface);
    const moment = mark.at_ms === undefined ? "" : " " + tr("(at {time})", { time: clock(mark.at_ms / 1000) });
    return words[mark.kind] + (size ? " " + size : "") + (mark.text ? ": " + mark.text : "") + moment;
  }

  private show(): void {
    this.overlay.layers = [...this.kept.filter((k) => k.id !== this.replaces).map((k) => k.layer), this.draft];
    this.overlay.draw();
    const parts: HTMLElement[] = [];
    if (this.draft.marks.shapes.length) parts.push(this.drafted());
    if (this.kept.length) parts.push(make("h2", { class: "ws-marks__title nhsuk-heading-s" }, tr("Marks and notes")), make("ul", { class: "ws-marks__sets" }, ...this.kept.map((k) => this.set(k))));
    this.list.replaceChildren(this.said, ...parts);
  }

  private drafted(): HTMLElement {
    const { marks } = this.draft;
    const out = make("div", { class: "ws-marks__draft" }, make("h2", { class: "ws-marks__title nhsuk-heading-s" }, this.annotates ? tr("Not saved yet") : tr("Measured")),
      make("ul", { class: "nhsuk-list nhsuk-list--bullet" }, ...marks.shapes.map((m) => make("li", {}, this.words(m, marks.scale)))));
    const row = make("div", { class: "ws-tools" });
    if (this.annotates) row.append(this.button(tr("Save"), () => void this.save(), { "data-save": "" }));
    row.append(this.button(tr("Take back the last"), () => { if (!this.pen.back()) marks.shapes.pop(); this.show(); }), this.button(tr("Discard"), () => this.clear()));
    out.append(row);
    return out;
  }

  private clear(): void {
    this.draft.marks = { version: 1, shapes: [], ...(this.draft.marks.scale ? { scale: this.draft.marks.scale } : {}) };
    this.replaces = "";
    this.say("");
    this.show();
  }

  private async save(): Promise<void> {
    const { scale, ...marks } = this.draft.marks;
    const scaled = scale && marks.shapes.some(({ kind }) => kind === "distance" || kind === "area");
    try {
      await ask<Kept>("POST", this.marks, { ...(this.replaces ? { replaces: this.replaces } : {}), marks: { ...marks, ...(scaled ? { scale } : {}) } });
    } catch (problem) {
      this.say((problem as Problem).detail); // what was drawn stays
      return;
    }
    this.clear();
    await this.load();
    this.say(tr("Saved beside the picture."));
  }

  private set(k: Kept & { layer: Layer }): HTMLElement {
    const name = `${k.author_name}, ${when.format(Date.parse(k.created_at)).replace(" at ", ", ").replace(/\s(am|pm)$/i, (m) => m.trim().toLowerCase())}`;
    const show = make("input", { type: "checkbox", class: "ws-marks__box", id: "marks-" + k.id });
    show.checked = k.layer.shown;
    show.addEventListener("change", () => { k.layer.shown = show.checked; this.overlay.draw(); });
    const swatch = make("span", { class: "ws-marks__swatch", "aria-hidden": "true" });
    swatch.style.background = k.layer.colour;
    const out = make("li", { class: "ws-marks__set" },
      make("div", { class: "ws-marks__who" }, show, make("label", { for: show.id }, swatch, name + (k.version > 1 ? " " + tr("(version {n})", { n: k.version }) : ""))),
      make("ul", { class: "nhsuk-list nhsuk-list--bullet ws-marks__words" }, ...k.marks.shapes.map((m) => make("li", {}, this.words(m, k.marks.scale)))));
    if (k.mine && this.annotates) out.append(make("div", { class: "ws-tools" },
      this.button(tr("Change"), () => this.change(k), { "aria-label": tr("Change the marks of {name}", { name }) }),
      this.button(tr("Remove"), () => void this.remove(k), { "aria-label": tr("Remove the marks of {name}", { name }) })));
    return out;
  }

  private change(k: Kept): void {
    if (this.draft.marks.shapes.length) {
      this.say(tr("Save or discard what is not saved first."));
      return;
    }
    this.replaces = k.id;
    this.draft.marks = structuredClone(k.marks);
    this.say(tr("Change the marks, then save. The version before is kept in the record."));
    this.show();
  }

  private async remove(k: Kept): Promise<void> {
    try {
      await ask<void>("DELETE", "/annotations/" + k.id);
      if (this.replaces === k.id) this.clear();
      await this.load();
      this.say(tr("Removed from view. The record keeps that they were there."));
    } catch (problem) {
      this.say((problem as Problem).detail);
    }
  }
}
