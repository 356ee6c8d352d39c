// A video on its page: its own controls, so that the watermark stays over it
// on the whole screen too; one frame forward and back; speed; closer; light;
// marks.
import { Desk } from "./desk";
import { fitted, held, moved, turned, whole, type Point, type Quarter, type Size, type View } from "./geometry";
import { light } from "./light";
import type { Look } from "./picture";
import { Reel } from "./reel";
import { make } from "./small";
import { closest, type Closer } from "./surface";
import { Panels, tool, wholeScreen, zoomTools } from "./tools";
import { tr } from "./words";

/** Film is a video that can be stepped through, looked at closely and marked. */
class Film implements Closer {
  readonly element: HTMLElement;
  private readonly calls: (() => void)[] = [];
  private quarter: Quarter = 0;
  private view: View = whole;
  /** Where fingers, or a mouse that is pressed, are. */
  private readonly fingers = new Map<number, Point>();

  constructor(readonly window: HTMLElement, readonly reel: Reel) {
    const { video } = reel;
    this.element = window;
    window.tabIndex = 0;
    window.setAttribute("role", "application");
    window.setAttribute("aria-label", tr("{name}. Space plays and stops; comma and full stop step by one frame; plus and minus zoom, 0 shows all, 1 shows every pixel; R turns; arrows go back and on, and move what is zoomed.", { name: window.dataset.alt ?? tr("The video") }));
    window.classList.add("ws-viewer__window--film");
    new ResizeObserver(() => this.lie()).observe(window);
    reel.told(() => this.tell());
    video.addEventListener("loadedmetadata", () => this.lie());
    window.addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("wheel", (event) => {
      if (event.ctrlKey || !event.deltaY || event.deltaY > 0 && !this.zoomed) return; // away from the whole is down the page
      event.preventDefault();
      this.zoomBy(event.deltaY < 0 ? 1.25 : 1 / 1.25, this.at(event));
    }, { passive: false });
    window.addEventListener("dblclick", (event) => this.zoomBy(2, this.at(event)));
    window.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      window.setPointerCapture(event.pointerId); // whoever drags beyond the edge still drags
      this.fingers.set(event.pointerId, this.at(event));
    });
    window.addEventListener("pointermove", (event) => this.drag(event));
    for (const name of ["pointerup", "pointercancel"] as const) window.addEventListener(name, (event) => this.fingers.delete(event.pointerId));
    // One finger on the whole video scrolls the page; two, or one on what is closer, are for the video.
    window.addEventListener("touchmove", (event) => { if (event.touches.length > 1 || this.zoomed) event.preventDefault(); }, { passive: false });
    this.lie();
  }

  get size(): Size { return this.reel.size; }
  private get box(): Size { return { width: this.window.clientWidth, height: this.window.clientHeight }; }
  private get fit(): ReturnType<typeof fitted> { return fitted(this.size, this.box, this.quarter, this.view); }
  private get zoomed(): boolean { return this.view.zoom > 1.001; }
  project(p: Point): Point { return this.fit.project(p); }
  unproject(p: Point): Point { return this.fit.unproject(p); }
  moved(call: () => void): void { this.calls.push(call); }
  hold(): void { this.reel.video.pause(); }
  readonly moment = (): number => this.reel.time * 1000;
  readonly drawn = (): Iterable<HTMLElement> => [this.reel.video];

  get scale(): number { return this.fit.width / this.size.width; }
  zoomTo(scale: number): void { this.zoomBy(scale / this.scale); }
  /** zoomBy goes closer, to the middle or where something points; every pixel of a small video is less than all the room. */
  zoomBy(factor: number, at: Point = [this.box.width / 2, this.box.height / 2]): void {
    const { zoom } = this.view, every = zoom / this.scale; // at which a pixel of the video is one of the screen
    const to = Math.min(Math.max(zoom * factor, Math.min(1, every)), Math.max(1, closest * every));
    this.show(moved(this.size, this.box, this.quarter, this.view, at, at, to / zoom));
  }
  fitAll(): void { this.show(whole); }
  turn(): void {
    this.quarter = turned(this.quarter);
    this.lie();
  }

  private show(view: View): void {
    this.view = view;
    this.lie();
  }

  /** lie lays the video into the window, turned, or as much of it as is looked at. */
  private lie(): void {
    const { box } = this, { style } = this.reel.video;
    if (!box.width || !box.height) return;
    this.view = held(this.size, box, this.quarter, this.view);
    const { width, height, project } = this.fit, [x, y] = project([.5, .5]);
    [style.width, style.height] = [width + "px", height + "px"];
    style.transform = `translate(-50%, -50%) translate(${x - box.width / 2}px, ${y - box.height / 2}px) rotate(${this.quarter}deg)`;
    this.window.dataset.turned = String(this.quarter);
    this.window.dataset.scale = this.scale.toFixed(4);
    this.window.classList.toggle("ws-viewer__window--closer", this.zoomed);
    this.tell();
  }

  private tell(): void { for (const call of this.calls) call(); }

  private at(event: MouseEvent): Point {
    const { left, top } = this.window.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  /** drag moves what is looked at with one finger, and closer or away with two. */
  private drag(event: PointerEvent): void {
    if (!this.fingers.has(event.pointerId)) return;
    const spread = (): [middle: Point, apart: number] => {
      const [a, b] = [...this.fingers.values()] as [Point, Point | undefined];
      return b ? [[(a[0] + b[0]) / 2, (a[1] + b[1]) / 2], Math.hypot(a[0] - b[0], a[1] - b[1])] : [a, 1];
    };
    const [from, apart] = spread();
    this.fingers.set(event.pointerId, this.at(event));
    const [to, now] = spread();
    this.show(moved(this.size, this.box, this.quarter, this.view, from, to));
    if (apart > 0 && now !== apart) this.zoomBy(now / apart, to);
  }

  private key(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.target !== this.window || event.ctrlKey || event.metaKey || event.altKey) return;
    const { reel } = this, { width, height } = this.box;
    const go = (x: number, y: number, seconds: number): void => {
      if (this.zoomed) this.show(moved(this.size, this.box, this.quarter, this.view, [0, 0], [-x * width, -y * height]));
      else reel.video.currentTime += seconds;
    };
    const does: Record<string, () => void> = {
      " ": () => reel.play(), k: () => reel.play(), ",": () => reel.step(-1), ".": () => reel.step(1), r: () => this.turn(), R: () => this.turn(),
      "+": () => this.zoomBy(1.5), "=": () => this.zoomBy(1.5), "-": () => this.zoomBy(1 / 1.5), "_": () => this.zoomBy(1 / 1.5), "0": () => this.fitAll(), "1": () => this.zoomTo(1),
      ArrowLeft: () => go(-.15, 0, -2), ArrowRight: () => go(.15, 0, 2), ...(this.zoomed ? { ArrowUp: () => go(0, -.15, 0), ArrowDown: () => go(0, .15, 0) } : {}),
    };
    const act = does[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }
}

/** film gives the video of a viewer's place its tools. */
export function film(place: HTMLElement): Look | undefined {
  const frame = place.querySelector<HTMLElement>(".ws-viewer__frame");
  const window = place.querySelector<HTMLElement>(".ws-viewer__window");
  const video = place.querySelector("video");
  if (!frame || !window || !video) return undefined;
  const reel = new Reel(video), f = new Film(window, reel);
  const badge = make("p", { class: "ws-viewer__badge", role: "status" });
  badge.hidden = true;
  window.append(badge);
  const desk = new Desk(f, place.dataset.marks ?? "", place.hasAttribute("data-annotates"));
  const panels = new Panels();
  panels.add(tr("Light"), light([f], badge));
  panels.add(tr("Measure"), desk.measurePanel, () => desk.rest());
  if (place.hasAttribute("data-annotates")) panels.add(tr("Mark"), desk.markPanel, () => desk.rest());
  const bar = make("div", { class: "ws-tools ws-viewer__bar", role: "group", "aria-label": tr("The video") },
    ...controls(reel), ...zoomTools(f), ...panels.buttons, wholeScreen(frame));
  frame.prepend(bar, panels.element);
  window.after(reel.progress(window));
  frame.after(desk.list);
  void desk.load();
  return { busy: () => desk.busy || video.currentTime > 0, destroy: () => { /* the video goes with its place */ } };
}

function controls(reel: Reel): HTMLElement[] {
  const { video } = reel;
  const play = tool(tr("Play"), tr("Play"), () => reel.play(), { "data-play": "" });
  reel.told(() => { play.textContent = video.paused ? tr("Play") : tr("Pause"); });
  const speed = make("select", { class: "ws-tool", "aria-label": tr("Speed") }, ...[".1", ".25", ".5", "1", "1.5", "2"].map((v) => {
    const o = make("option", { value: v }, "× " + Number(v));
    o.selected = v === "1";
    return o;
  }));
  speed.addEventListener("change", () => { video.playbackRate = Number(speed.value); });
  const sound = tool(tr("Mute"), tr("Mute"), () => { video.muted = !video.muted; sound.setAttribute("aria-pressed", String(video.muted)); }, { "aria-pressed": String(video.muted) });
  return [play, ...reel.stepTools(), speed, sound];
}
