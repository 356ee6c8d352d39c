// What is drawn over a picture: marks as they are kept, in a drawing that
// follows the picture wherever it lies. The picture itself is never touched.
import { areaIn, arrowHead, lengthIn, middle, millimetres, square, type Point, type Scale } from "./geometry";
import type { Surface } from "./surface";
import { tr } from "./words";

export type Kind = "arrow" | "outline" | "text" | "note" | "distance" | "area";

/** One shape or note; see the contract of the API. */
export interface Mark { kind: Kind; points?: readonly Point[]; text?: string; at_ms?: number }
export interface Marks { version: 1; shapes: Mark[]; scale?: Scale }

/** How many points one mark, and one set of marks, can hold. */
export const mostPoints = 400;
export const mostShapes = 50;

/** Marks of one set, as they are shown. */
export interface Layer { marks: Marks; colour: string; shown: boolean }

const svg = "http://www.w3.org/2000/svg";

/** measured says what a distance or an area comes to; "" for any other mark. */
export function measured(mark: Mark, scale: Scale | undefined, surface: Surface): string {
  const points = mark.points ?? [];
  if (!scale || points.length < 2) return "";
  if (mark.kind === "distance") return tr("≈ {size}, an estimate", { size: millimetres(lengthIn(points[0]!, points[1]!, surface.size, scale)) });
  if (mark.kind === "area") return tr("≈ {size}, an estimate", { size: square(areaIn(points, surface.size, scale)) });
  return "";
}

/** Overlay draws layers over a surface. */
export class Overlay {
  readonly element = document.createElementNS(svg, "svg");
  layers: Layer[] = [];
  /** What is being drawn just now: points that have no mark yet, and the cross of the keyboard. */
  pending: readonly Point[] = [];
  cross: Point | undefined;

  constructor(readonly surface: Surface) {
    this.element.classList.add("ws-overlay");
    this.element.setAttribute("aria-hidden", "true"); // the same is written in the list beside the picture
    surface.element.append(this.element);
    surface.moved(() => this.draw());
  }

  draw(): void {
    const group = document.createElementNS(svg, "g");
    for (const { marks, colour, shown } of this.layers) {
      if (!shown) continue;
      if (marks.scale) this.line(group, [marks.scale.from, marks.scale.to], colour, "ws-overlay__ruler", tr("{n} mm of ruler", { n: marks.scale.mm }));
      for (const mark of marks.shapes) if (this.now(mark)) this.mark(group, mark, marks.scale, colour);
    }
    if (this.pending.length) {
      for (const p of this.pending.slice(0, mostPoints)) this.dot(group, p, "#fff");
      this.path(group, this.pending, false, "#fff", "ws-overlay__pending");
    }
    if (this.cross) this.crosshair(group, this.cross);
    this.element.replaceChildren(group);
  }

  /** A mark of a film belongs to its moment. */
  private now(mark: Mark): boolean {
    return mark.at_ms === undefined || !this.surface.moment || Math.abs(this.surface.moment() - mark.at_ms) < 400;
  }

  private mark(group: SVGElement, mark: Mark, scale: Scale | undefined, colour: string): void {
    const points = mark.points ?? [];
    const says = [mark.text ?? "", measured(mark, scale, this.surface)].filter(Boolean).join(" · ");
    switch (mark.kind) {
      case "arrow": {
        const [from, to] = points;
        if (!from || !to) return;
        this.path(group, points, false, colour);
        const a = this.surface.project(from), b = this.surface.project(to);
        const [left, right] = arrowHead(a, b, Math.min(22, 8 + Math.hypot(b[0] - a[0], b[1] - a[1]) / 5));
        this.stroke(group, [left, b, right], false, colour);
        this.says(group, this.surface.project(from), says, colour);
        return;
      }
      case "outline": case "area":
        this.path(group, points, true, colour, mark.kind === "area" ? "ws-overlay__area" : "");
        this.says(group, this.surface.project(middle(points)), says, colour);
        return;
      case "distance":
        this.line(group, points, colour, "", says);
        return;
      case "text":
        if (!points[0]) return;
        this.dot(group, points[0], colour);
        this.says(group, this.surface.project(points[0]), says, colour);
    }
  }

  private line(group: SVGElement, points: readonly Point[], colour: string, name: string, says: string): void {
    this.path(group, points, false, colour, name);
    for (const p of points) this.dot(group, p, colour);
    this.says(group, this.surface.project(middle(points)), says, colour);
  }

  private path(group: SVGElement, points: readonly Point[], closed: boolean, colour: string, name = ""): void {
    this.stroke(group, points.map((p) => this.surface.project(p)), closed, colour, name);
  }

  /** Each line is drawn twice, so that it stands out on any skin. */
  private stroke(group: SVGElement, points: readonly Point[], closed: boolean, colour: string, name = ""): void {
    const d = points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("") + (closed ? "Z" : "");
    for (const part of ["ws-overlay__halo", "ws-overlay__line"]) {
      const path = document.createElementNS(svg, "path");
      path.setAttribute("d", d);
      path.setAttribute("class", part + (name ? " " + name : ""));
      if (part === "ws-overlay__line") path.setAttribute("stroke", colour);
      group.append(path);
    }
  }

  private dot(group: SVGElement, p: Point, colour: string): void {
    const [x, y] = this.surface.project(p);
    const dot = document.createElementNS(svg, "circle");
    for (const [k, v] of Object.entries({ cx: x.toFixed(1), cy: y.toFixed(1), r: "4", fill: colour, class: "ws-overlay__dot" })) dot.setAttribute(k, v);
    group.append(dot);
  }

  private says(group: SVGElement, [x, y]: Point, text: string, colour: string): void {
    text.split("\n").forEach((line, i) => {
      if (!line) return;
      const t = document.createElementNS(svg, "text"), right = x > .6 * this.surface.element.clientWidth; // so that it ends on the screen
      for (const [k, v] of Object.entries({ x: (right ? x - 8 : x + 8).toFixed(1), "text-anchor": right ? "end" : "start", y: (y - 8 + i * 20).toFixed(1), fill: colour, class: "ws-overlay__text" })) t.setAttribute(k, v);
      t.textContent = line;
      group.append(t);
    });
  }

  private crosshair(group: SVGElement, p: Point): void {
    const [x, y] = this.surface.project(p);
    this.stroke(group, [[x - 16, y], [x + 16, y]], false, "#ffeb3b");
    this.stroke(group, [[x, y - 16], [x, y + 16]], false, "#ffeb3b");
  }
}
