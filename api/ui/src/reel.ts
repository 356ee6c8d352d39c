// The frames of a video, one after the other: for the video on its page, and
// for one of its frames beside another picture.
import { clock, frameLasts, type Size } from "./geometry";
import { make } from "./small";
import { tool } from "./tools";
import { tr } from "./words";

const tells = "requestVideoFrameCallback" in HTMLVideoElement.prototype; // not every browser tells of frames
const guess = 1 / 30; // how long a frame lasts, until that is known

/** Reel steps through a video, and tells which frame is seen. */
export class Reel {
  private readonly calls: (() => void)[] = [];
  /** Times of frames as they were presented, the latest last. */
  private times: number[] = [];
  private lasts: number | undefined;
  private seen = 0; // time of the frame that is seen
  private presented = (): void => { /* nobody waits for a frame */ };
  private steps = 0; // that are still to be made
  private stepping: Promise<void> = Promise.resolve();

  constructor(readonly video: HTMLVideoElement) {
    video.controls = false;
    for (const name of ["timeupdate", "seeked", "loadedmetadata", "play", "pause", "ratechange", "durationchange"]) video.addEventListener(name, () => this.tell());
    this.watch();
  }

  get size(): Size { return { width: this.video.videoWidth || 16, height: this.video.videoHeight || 9 }; }

  /** Calls back whenever another frame is seen, or something else about it is otherwise. */
  told(call: () => void): void { this.calls.push(call); }
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

  /** The buttons that go by one frame. */
  stepTools(): HTMLElement[] {
    return [tool(tr("◂ Frame"), tr("One frame back"), () => this.step(-1), { "data-step": "-1" }), tool(tr("Frame ▸"), tr("One frame forward"), () => this.step(1), { "data-step": "1" })];
  }

  /** progress is where in the video one is, to the frame, and a slider to go elsewhere; the window says it too. */
  progress(window: HTMLElement): HTMLElement {
    const { video } = this;
    const slider = make("input", { type: "range", class: "ws-slider ws-viewer__seek", min: "0", max: "1000", step: "1", value: "0", "aria-label": tr("Place in the video") });
    slider.addEventListener("input", () => { if (video.duration) video.currentTime = Number(slider.value) / 1000 * video.duration; });
    const at = make("span", { class: "ws-viewer__time" });
    this.told(() => {
      const long = Number.isFinite(video.duration) ? video.duration : 0;
      if (document.activeElement !== slider || !video.paused) slider.value = String(long ? Math.round(1000 * this.time / long) : 0);
      slider.setAttribute("aria-valuetext", tr("{time} of {all}", { time: clock(this.time), all: clock(long) }));
      at.textContent = tr("{time} of {all}", { time: clock(this.time), all: clock(long) }) + " " + this.frames;
      window.dataset.time = this.time.toFixed(4);
    });
    return make("div", { class: "ws-viewer__progress" }, slider, at);
  }
}
