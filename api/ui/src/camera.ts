import { measure, measureEdge, type Flag } from "./measure";
import { byId, make } from "./small";
import { naming } from "./patient";
import { changed, state, type Shot, type Way } from "./sets";
import { tr, trn } from "./words";

// What browsers know of cameras beyond the standard's first part.
interface Abilities extends MediaTrackCapabilities { torch?: boolean; focusMode?: string[]; pointsOfInterest?: unknown }
interface Photographer { takePhoto(settings?: { imageWidth?: number; imageHeight?: number }): Promise<Blob>; getPhotoCapabilities(): Promise<{ imageWidth?: { max: number }; imageHeight?: { max: number } }> }
type Photographers = new (track: MediaStreamTrack) => Photographer;

const photographers = (): Photographers | undefined => (window as { ImageCapture?: Photographers }).ImageCapture;

export const flagWords: Record<Flag, string> = {
  blurred: tr("Looks blurred. Retake it?"), dark: tr("Looks dark. Retake it with more light?"), overexposed: tr("Much is plain white. Retake it with less light?"),
};

export const wayWords: Record<Way, string> = {
  camera: tr("Full resolution"), native: tr("Phone’s camera"), frame: tr("Video frame: fewer pixels"), file: tr("From your files"),
};

/** add takes a picture into the set at once, so that it is of the patient of this moment, and measures it then. */
export async function add(file: Blob, way: Way, takenAt: Date | null, instead?: Shot): Promise<Shot> {
  const video = file.type.startsWith("video/") || (file instanceof File && /\.(mp4|m4v|mov|3gp|3g2|webm|mkv)$/i.test(file.name));
  const shot: Shot = { key: crypto.randomUUID(), file, url: URL.createObjectURL(file), video, way, takenAt, flags: [], state: "ready", percent: 0 };
  const at = instead ? state.shots.indexOf(instead) : -1;
  if (instead && at >= 0) {
    URL.revokeObjectURL(instead.url);
    if (instead.from) shot.from = instead.from;
    state.shots.splice(at, 1, shot);
  } else state.shots.push(shot);
  changed();
  if (!video) {
    shot.flags = await flagsOf(file);
    changed();
  }
  return shot;
}

/** flagsOf measures a picture at the one size at which pictures are compared. */
async function flagsOf(file: Blob): Promise<Flag[]> {
  try {
    const whole = await createImageBitmap(file);
    const scale = Math.min(1, measureEdge / Math.max(whole.width, whole.height));
    const w = Math.max(1, Math.round(whole.width * scale)), h = Math.max(1, Math.round(whole.height * scale));
    const canvas = make("canvas", { width: String(w), height: String(h) }), pen = canvas.getContext("2d", { willReadFrequently: true });
    if (!pen) return [];
    pen.imageSmoothingQuality = "high";
    pen.drawImage(whole, 0, 0, w, h);
    whole.close();
    return measure(pen.getImageData(0, 0, w, h).data, w, h).flags;
  } catch {
    return []; // this browser does not show it; the server measures it too
  }
}

/** canPhotograph reports whether this page can take pictures at full resolution. */
export const canPhotograph = (): boolean => "mediaDevices" in navigator && !!photographers();

const longest = 3 * 60_000; // of a video

/** camera is open over the page until it is closed; pictures go into the set one by one. instead is the picture that the first one replaces. */
export async function camera(form: HTMLElement, instead?: Shot): Promise<void> {
  if (!state.patient) return;
  const open = new Camera(form, instead);
  await open.run();
}

class Camera {
  private readonly video = make("video", { class: "ws-camera__video", playsinline: "", "aria-label": tr("What the camera sees. Tap to focus") });
  private readonly said = make("p", { role: "status", class: "ws-camera__said" });
  private readonly strip = make("p", { class: "ws-camera__strip" });
  private readonly small = make("ul", { class: "ws-camera__small", "aria-label": tr("Taken so far") });
  private readonly shutter = make("button", { class: "ws-shutter", type: "button", id: "shutter", "aria-label": tr("Take a photo") });
  private readonly record = make("button", { class: "nhsuk-button nhsuk-button--reverse", type: "button", id: "record" }, tr("Record video"));
  private readonly torch = make("button", { class: "nhsuk-button nhsuk-button--reverse", type: "button", id: "torch", "aria-pressed": "false" }, tr("Light"));
  private readonly again = make("button", { class: "nhsuk-button nhsuk-button--reverse", type: "button", id: "again" }, tr("Retake it"));
  private readonly done = make("button", { class: "nhsuk-button nhsuk-button--reverse", type: "button", id: "done" }, tr("Done"));
  private readonly dialog = make("dialog", { class: "ws-camera", "aria-label": tr("Camera") },
    make("div", { class: "ws-patient ws-patient--camera" }, ...(state.patient ? naming(state.patient) : [])),
    make("div", { class: "ws-camera__view" }, this.video), this.said, make("div", { class: "ws-camera__keys" }, this.again, this.strip, this.small),
    make("div", { class: "ws-camera__keys" }, this.torch, this.record, this.shutter, this.done));
  private stream: MediaStream | undefined;
  private photographer: Photographer | undefined;
  private recorder: MediaRecorder | undefined;
  private last: Shot | undefined;

  constructor(private readonly form: HTMLElement, private instead: Shot | undefined) {}

  async run(): Promise<void> {
    this.video.muted = true;
    this.torch.hidden = this.again.hidden = true;
    this.record.hidden = !("MediaRecorder" in window);
    this.shutter.disabled = this.record.disabled = true;
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.shutter.addEventListener("click", () => void this.shoot());
    this.record.addEventListener("click", () => void this.film());
    this.torch.addEventListener("click", () => void this.light());
    this.video.addEventListener("click", (event) => void this.focus(event));
    this.again.addEventListener("click", () => { this.instead = this.last; this.again.hidden = true; this.said.textContent = tr("Take it again."); this.shutter.focus(); });
    this.done.addEventListener("click", () => this.dialog.close());
    const closed = new Promise((done) => this.dialog.addEventListener("close", done, { once: true }));
    this.tally();
    try {
      await this.start();
    } catch {
      this.said.textContent = tr("This page may not use the camera. Allow it in the browser’s settings for this site, or close this and use the phone’s camera.");
    }
    await closed;
    if (this.recorder?.state === "recording") this.recorder.stop();
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.dialog.remove();
    byId(state.shots.length ? "body_site" : "take")?.focus();
  }

  /** start opens the back camera: for photos a picture to aim by is enough, frames need every pixel. */
  private async start(): Promise<void> {
    const Maker = photographers();
    this.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: { ideal: "environment" }, width: { ideal: Maker ? 1920 : 3840 }, height: { ideal: Maker ? 1080 : 2160 } } });
    this.video.srcObject = this.stream;
    await this.video.play();
    const track = this.stream.getVideoTracks()[0];
    if (!track) throw new Error("no camera");
    if (Maker) this.photographer = new Maker(track);
    this.torch.hidden = !(track.getCapabilities?.() as Abilities | undefined)?.torch;
    this.shutter.disabled = this.record.disabled = false;
    this.shutter.focus();
  }

  private async shoot(): Promise<void> {
    this.shutter.disabled = true;
    const who = state.patient;
    try {
      const [file, way] = await this.photo();
      if (state.patient !== who) return; // the camera was closed meanwhile, and somebody else chosen
      this.last = await add(file, way, new Date(), this.instead);
      this.instead = undefined;
      this.again.hidden = false;
      this.said.textContent = this.last.flags.map((f) => flagWords[f]).join(" ") || tr("Taken.");
      this.said.classList.toggle("ws-camera__said--odd", this.last.flags.length > 0);
      this.tally();
    } catch {
      this.said.textContent = tr("The camera gave no picture. Try again.");
    } finally {
      this.shutter.disabled = false;
      this.shutter.focus();
    }
  }

  /** photo takes a picture at the sensor's full resolution; a frame, where the camera cannot. */
  private async photo(): Promise<[Blob, Way]> {
    if (this.photographer) {
      try {
        const can = await this.photographer.getPhotoCapabilities().catch(() => undefined);
        const most = can?.imageWidth?.max && can.imageHeight?.max ? { imageWidth: can.imageWidth.max, imageHeight: can.imageHeight.max } : undefined;
        const photo = await soon(this.photographer.takePhoto(most).catch(() => this.photographer!.takePhoto()));
        if (photo.size) return [photo, "camera"];
      } catch { /* some cameras never answer */ }
    }
    const canvas = make("canvas", { width: String(this.video.videoWidth), height: String(this.video.videoHeight) });
    canvas.getContext("2d")?.drawImage(this.video, 0, 0);
    const frame = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/jpeg", .95));
    if (!frame) throw new Error("no frame");
    return [frame, "frame"];
  }

  /** film records until it is stopped, three minutes have passed, or it is as large as may be sent. */
  private async film(): Promise<void> {
    if (this.recorder) {
      if (this.recorder.state === "recording") this.recorder.stop();
      return;
    }
    if (!this.stream) return;
    const who = state.patient;
    const type = ["video/mp4;codecs=avc1", "video/webm;codecs=vp8", "video/webm"].find((t) => MediaRecorder.isTypeSupported(t));
    const recorder = this.recorder = new MediaRecorder(new MediaStream(this.stream.getVideoTracks()), { ...(type ? { mimeType: type } : {}), videoBitsPerSecond: 6_000_000 });
    const parts: Blob[] = [], started = new Date(), most = Number(this.form.dataset.max) * .95;
    let bytes = 0;
    recorder.addEventListener("dataavailable", (event) => {
      parts.push(event.data);
      bytes += event.data.size;
    });
    const tick = setInterval(() => {
      const ms = Date.now() - started.getTime(), left = Math.max(0, (longest - ms) / 1000);
      this.said.textContent = tr("Recording without sound: {time}, {size} MB. Stops by itself in {left}.", { time: clock(ms / 1000), size: (bytes / (1 << 20)).toFixed(1), left: clock(left) });
      if (recorder.state === "recording" && (left === 0 || (most && bytes > most))) recorder.stop();
    }, 500);
    const stopped = new Promise((done) => recorder.addEventListener("stop", done, { once: true }));
    this.record.textContent = tr("Stop");
    this.record.classList.add("ws-recording");
    this.shutter.disabled = this.done.disabled = true;
    recorder.start(1000);
    await stopped;
    clearInterval(tick);
    this.recorder = undefined;
    this.record.textContent = tr("Record video");
    this.record.classList.remove("ws-recording");
    this.shutter.disabled = this.done.disabled = false;
    if (state.patient !== who) return; // as for a photo
    if (!bytes) {
      this.said.textContent = tr("The camera gave no video. Try again.");
      return;
    }
    this.last = await add(new Blob(parts, { type: recorder.mimeType.split(";")[0] ?? "video/webm" }), "camera", started, this.instead);
    this.instead = undefined;
    this.again.hidden = true;
    this.said.textContent = tr("Recorded.");
    this.tally();
  }

  private async light(): Promise<void> {
    const on = this.torch.getAttribute("aria-pressed") !== "true";
    try {
      await this.stream?.getVideoTracks()[0]?.applyConstraints({ advanced: [{ torch: on } as MediaTrackConstraintSet] });
      this.torch.setAttribute("aria-pressed", String(on));
    } catch {
      this.said.textContent = tr("This light cannot be switched.");
    }
  }

  /** focus asks the camera to focus where the picture was tapped. */
  private async focus(event: MouseEvent): Promise<void> {
    const track = this.stream?.getVideoTracks()[0], can = track?.getCapabilities?.() as Abilities | undefined;
    const mode = ["single-shot", "continuous"].find((m) => can?.focusMode?.includes(m));
    if (!track || (!mode && !can?.pointsOfInterest)) return;
    const box = this.video.getBoundingClientRect(), point = { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
    await track.applyConstraints({ advanced: [{ pointsOfInterest: [point], ...(mode ? { focusMode: mode } : {}) } as MediaTrackConstraintSet] }).catch(() => undefined);
  }

  private tally(): void {
    const pictures = state.shots.filter((s) => !s.video).slice(-5);
    this.small.replaceChildren(...pictures.map((s) => make("li", {}, make("img", { src: s.url, alt: s.flags.map((f) => flagWords[f]).join(" ") || tr("Picture") }))));
    this.small.hidden = !pictures.length;
    this.strip.textContent = state.shots.length ? trn(state.shots.length, "{n} picture taken", "{n} pictures taken") : tr("Nothing taken yet");
  }
}

const clock = (seconds: number): string => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

/** soon gives up on a camera that does not answer in eight seconds. */
function soon<T>(wanted: Promise<T>): Promise<T> {
  return Promise.race([wanted, new Promise<T>((_, fail) => setTimeout(() => fail(new Error("too slow")), 8000))]);
}

