// The pen: turns clicks, drags and keys over a picture into points, and points
// into marks.
import { rounded, simplified, within, type Point } from "./geometry";
import { mostPoints, type Overlay } from "./marks";

/** What the pen is asked for: so many points, or an outline. */
export interface Ask {
  points: 1 | 2 | "outline";
  done(points: Point[]): void;
}

const slip = 6; // pixels that a finger moves without meaning to

export class Pen {
  private ask: Ask | undefined;
  private points: Point[] = [];
  private down: { at: Point; line: Point[]; drawn: boolean } | undefined;
  /** Called when what could be finished or taken back changes. */
  changed: () => void = () => { /* nobody asked */ };

  constructor(private readonly overlay: Overlay) {
    const e = overlay.element;
    e.addEventListener("pointerdown", (event) => this.press(event));
    e.addEventListener("pointermove", (event) => this.drag(event));
    e.addEventListener("pointerup", (event) => this.lift(event));
    e.addEventListener("pointercancel", () => { this.down = undefined; });
    // The stage below must not take a click of the pen for one of its own.
    for (const name of ["click", "dblclick"]) e.addEventListener(name, (event) => { if (this.ask) event.stopPropagation(); });
    overlay.surface.element.addEventListener("keydown", (event) => this.key(event as KeyboardEvent), true);
  }

  get busy(): boolean { return !!this.ask; }
  get open(): boolean { return this.ask?.points === "outline" && this.points.length >= 3; }
  get begun(): boolean { return this.points.length > 0; }

  /** take begins a mark; undefined puts the pen down. */
  take(ask: Ask | undefined): void {
    this.ask = ask;
    this.down = undefined;
    this.overlay.element.classList.toggle("ws-overlay--drawing", !!ask);
    if (!ask) this.overlay.cross = undefined;
    this.set([]);
  }

  /** finish closes an outline. */
  finish(): void { if (this.open) this.give(this.points); }

  /** back takes back the last point; false when there was none. */
  back(): boolean {
    if (!this.points.length) return false;
    this.set(this.points.slice(0, -1));
    return true;
  }

  private set(points: Point[]): void {
    this.points = points;
    this.overlay.pending = points;
    this.overlay.draw();
    this.changed();
  }

  private at(event: PointerEvent): Point {
    const box = this.overlay.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  private press(event: PointerEvent): void {
    if (!this.ask || event.button !== 0) return;
    event.stopPropagation();
    event.preventDefault();
    this.overlay.element.setPointerCapture(event.pointerId);
    this.overlay.cross = undefined;
    const at = this.at(event);
    this.down = { at, line: [at], drawn: false };
  }

  private drag(event: PointerEvent): void {
    if (!this.ask) return;
    event.stopPropagation();
    if (!this.down || this.ask.points === 1) return;
    const at = this.at(event);
    if (!this.down.drawn && Math.hypot(at[0] - this.down.at[0], at[1] - this.down.at[1]) < slip) return;
    if (!this.down.drawn && this.points.length) return; // points were clicked: go on clicking
    this.down.drawn = true;
    if (this.ask.points === 2) this.down.line = [this.down.at, at];
    else this.down.line.push(at);
    this.overlay.pending = this.down.line.map((p) => this.place(p));
    this.overlay.draw();
  }

  private lift(event: PointerEvent): void {
    if (!this.ask || !this.down) return;
    event.stopPropagation();
    const { at, line, drawn } = this.down;
    this.down = undefined;
    if (!drawn) this.point(at);
    else if (this.ask.points === 2 || line.length > 5) this.give(line.map((p) => this.place(p)));
    else this.set([]);
  }

  /** point is one click, at a place on the screen. */
  private point(at: Point): void {
    if (!this.ask) return;
    const first = this.points[0];
    if (first && this.open) { // a click on the first point closes the outline
      const [x, y] = this.overlay.surface.project(first);
      if (Math.hypot(at[0] - x, at[1] - y) < 14) {
        this.give(this.points);
        return;
      }
    }
    const points = [...this.points, this.place(at)];
    if (this.ask.points === points.length) this.give(points);
    else if (points.length <= mostPoints) this.set(points);
  }

  private place(at: Point): Point { return within(this.overlay.surface.unproject(at)); }

  private give(points: Point[]): void {
    const ask = this.ask;
    this.set([]);
    const outline = ask?.points === "outline" ? simplified(points, this.overlay.surface.size, mostPoints) : points;
    if (ask?.points === "outline" && outline.length < 3) return;
    ask?.done(outline.map(rounded));
  }

  /** With keys a cross is moved, and Enter sets a point under it. */
  private key(event: KeyboardEvent): void {
    if (!this.ask || event.target !== this.overlay.surface.element) return;
    const step = event.shiftKey ? 1 : 12;
    const by: Record<string, Point> = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const move = by[event.key];
    const { surface } = this.overlay;
    const cross = surface.project(this.overlay.cross ?? surface.unproject([surface.element.clientWidth / 2, surface.element.clientHeight / 2]));
    if (move) this.overlay.cross = this.place([cross[0] + move[0], cross[1] + move[1]]);
    else if (event.key === "Enter" || event.key === " ") {
      this.overlay.cross = this.place(cross);
      this.point(cross);
    } else if (event.key === "Backspace") this.back();
    else if (event.key === "Escape" && this.points.length) this.set([]);
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.overlay.draw();
  }
}
