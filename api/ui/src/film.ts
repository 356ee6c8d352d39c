// A video on its page: its own controls, so that the watermark stays over it
// on the whole screen too; one frame forward and back; speed; light; marks.
import { Desk } from "./desk";
import { clock, fitted, frameLasts, turned, type Point, type Quarter, type Size } from "./geometry";
import { light } from "./light";
import type { Look } from "./picture";
import { make } from "./small";
import type { Surface } from "./surface";
import { Panels, tool, wholeScreen } from "./tools";
import { tr } from "./words";

const tells = "requestVideoFrameCallback" in HTMLVideoElement.prototype; // not every browser tells of frames
const guess = 1 / 30; // how long a frame lasts, until that is known

/** Film is a video that can be stepped through and marked. */
class Film implements Surface {
  readonly element: HTMLElement;
  private readonly calls: (() => void)[] = [];
  private quarter: Quarter = 0;
  /** Times of frames as they were presented, the latest last. */
  private times: number[] = [];
  private lasts: number | undefined;
  private seen = 0; // time of the frame that is seen
  private presented = (): void => { /* nobody waits for a frame */ };
  private steps = 0; // that are still to be made
  private stepping: Promise<void> = Promise.resolve();

  constructor(readonly window: HTMLElement, readonly video: HTMLVideoElement) {
    this.element = window;
    window.tabIndex = 0;
    window.setAttribute("role", "application");
    window.setAttribute("aria-label", tr("{name}. Space plays and stops; comma and full stop step by one frame; R turns.", { name: window.dataset.alt ?? tr("The video") }));
    video.controls = false;
    window.classList.add("ws-viewer__window--film");
    new ResizeObserver(() => this.lie()).observe(window);
    for (const name of ["timeupdate", "seeked", "loadedmetadata", "play", "pause", "ratechange", "durationchange"]) video.addEventListener(name, () => this.tell());
    video.addEventListener("loadedmetadata", () => this.lie());
    this.watch();
    window.addEventListener("keydown", (event) => this.key(event));
    this.lie();
  }

  get size(): Size { return { width: this.video.videoWidth || 16, height: this.video.videoHeight || 9 }; }
  private get fit(): ReturnType<typeof fitted> { return fitted(this.size, { width: this.window.clientWidth, height: this.window.clientHeight }, this.quarter); }
  project(p: Point): Point { return this.fit.project(p); }
  unproject(p: Point): Point { return this.fit.unproject(p); }
  moved(call: () => void): void { this.calls.push(call); }
  hold(): void { this.video.pause(); }
  readonly moment = (): number => this.time * 1000;
  readonly drawn = (): Iterable<HTMLElement> => [this.video];

  turn(): void {
    this.quarter = turned(this.quarter);
    this.lie();
  }

  /** lie lays the video into the window, turned. */
  private lie(): void {
    const { width, height } = this.fit, { style } = this.video;
    [style.width, style.height] = [width + "px", height + "px"];
    style.transform = `translate(-50%, -50%) rotate(${this.quarter}deg)`;
    this.window.dataset.turned = String(this.quarter);
    this.tell();
  }

  private tell(): void { for (const call of this.calls) call(); }

  /** watch learns from the frames as they are presented. */
  private watch(): void {
    if (!tells) return;
    this.video.requestVideoFrameCallback((_, frame) => {
      this.seen = frame.mediaTime;
      this.presented();
      if (!this.video.paused && !this.video.seeking) {
        this.times = [...this.times.slice(-40), frame.mediaTime];
        this.lasts = frameLasts(this.times) ?? this.lasts;
      } else this.times = [];
      this.watch();
      this.tell();
    });
  }

  /** The time of the frame that is seen, as near as the browser says. */
  get time(): number { return tells ? this.seen : this.video.currentTime; }
  get frames(): string { return this.lasts ? tr("≈ {n} frames a second", { n: (1 / this.lasts).toFixed(1).replace(/\.0$/, "") }) : ""; }

  /** step shows the next frame or the one before, one after the other; a key held down does not run on for long. */
  step(way: 1 | -1): void {
    if (this.steps > 2) return;
    this.steps++;
    this.stepping = this.stepping.then(() => this.frame(way)).finally(() => {
      this.steps--;
      this.tell();
    });
  }

  /** frame goes to the next frame or the one before, however long frames last. */
  private async frame(way: 1 | -1): Promise<void> {
    this.video.pause();
    const from = this.time, lasts = this.lasts ?? guess;
    // Into the middle of the frame wanted; if that is still the same one, further.
    for (let reach = way > 0 ? 1.5 : .5; reach < 40; reach += way > 0 ? .5 : 1) {
      const to = Math.min(Math.max(from + way * reach * lasts, 0), this.video.duration || Infinity);
      await this.seek(to, from);
      const gone = Math.abs(this.time - from);
      if (gone > 1e-4) {
        if (way > 0 && (!this.lasts || gone < this.lasts)) this.lasts = gone;
        return;
      }
      if (to === 0 || to >= this.video.duration) return;
    }
  }

  /**
   * seek goes to a time and waits until another frame than the one of from is
   * seen. A busy machine is late with it; one that is still the same is never told.
   */
  private seek(to: number, from: number): Promise<void> {
    return new Promise((done) => {
      this.presented = () => { if (Math.abs(this.seen - from) > 1e-4) done(); };
      this.video.addEventListener("seeked", () => setTimeout(done, tells ? 400 : 0), { once: true });
      this.video.currentTime = to;
    });
  }

  play(): void {
    if (this.video.paused) void this.video.play().catch(() => { /* the browser says on the video what it cannot play */ });
    else this.video.pause();
  }

  private key(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.target !== this.window || event.ctrlKey || event.metaKey || event.altKey) return;
    const does: Record<string, () => void> = {
      " ": () => this.play(), k: () => this.play(), ",": () => this.step(-1), ".": () => this.step(1), r: () => this.turn(),
      ArrowLeft: () => { this.video.currentTime -= 2; }, ArrowRight: () => { this.video.currentTime += 2; },
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
  const f = new Film(window, video);
  const badge = make("p", { class: "ws-viewer__badge", role: "status" });
  badge.hidden = true;
  window.append(badge);
  const desk = new Desk(f, place.dataset.marks ?? "", place.hasAttribute("data-annotates"));
  const panels = new Panels();
  panels.add(tr("Light"), light([f], badge));
  panels.add(tr("Measure"), desk.measurePanel, () => desk.rest());
  if (place.hasAttribute("data-annotates")) panels.add(tr("Mark"), desk.markPanel, () => desk.rest());
  const bar = make("div", { class: "ws-tools ws-viewer__bar", role: "group", "aria-label": tr("The video") },
    ...controls(f), tool(tr("Turn"), tr("Turn by a quarter, clockwise"), () => f.turn(), { "data-turn": "" }), ...panels.buttons, wholeScreen(frame));
  frame.prepend(bar, panels.element);
  window.after(progress(f));
  frame.after(desk.list);
  void desk.load();
  return { busy: () => desk.busy || video.currentTime > 0, destroy: () => { /* the video goes with its place */ } };
}

function controls(f: Film): HTMLElement[] {
  const { video } = f;
  const play = tool(tr("Play"), tr("Play"), () => f.play(), { "data-play": "" });
  f.moved(() => { play.textContent = video.paused ? tr("Play") : tr("Pause"); });
  const speed = make("select", { class: "ws-tool", "aria-label": tr("Speed") }, ...[".1", ".25", ".5", "1", "1.5", "2"].map((v) => {
    const o = make("option", { value: v }, "× " + Number(v));
    o.selected = v === "1";
    return o;
  }));
  speed.addEventListener("change", () => { video.playbackRate = Number(speed.value); });
  const sound = tool(tr("Mute"), tr("Mute"), () => { video.muted = !video.muted; sound.setAttribute("aria-pressed", String(video.muted)); }, { "aria-pressed": String(video.muted) });
  return [play, tool(tr("◂ Frame"), tr("One frame back"), () => f.step(-1), { "data-step": "-1" }), tool(tr("Frame ▸"), tr("One frame forward"), () => f.step(1), { "data-step": "1" }), speed, sound];
}

/** progress is where in the video one is, to the frame, and a slider to go elsewhere. */
function progress(f: Film): HTMLElement {
  const { video } = f;
  const slider = make("input", { type: "range", class: "ws-slider ws-viewer__seek", min: "0", max: "1000", step: "1", value: "0", "aria-label": tr("Place in the video") });
  slider.addEventListener("input", () => { if (video.duration) video.currentTime = Number(slider.value) / 1000 * video.duration; });
  const at = make("span", { class: "ws-viewer__time" });
  f.moved(() => {
    const long = Number.isFinite(video.duration) ? video.duration : 0;
    if (document.activeElement !== slider || !video.paused) slider.value = String(long ? Math.round(1000 * f.time / long) : 0);
    slider.setAttribute("aria-valuetext", tr("{time} of {all}", { time: clock(f.time), all: clock(long) }));
    at.textContent = tr("{time} of {all}", { time: clock(f.time), all: clock(long) }) + " " + f.frames;
    f.window.dataset.time = f.time.toFixed(4);
  });
  return make("div", { class: "ws-viewer__progress" }, slider, at);
}
