import { byId, make } from "./small";
import { program } from "./trusted";
import { read, type Band } from "./wristband";
import { tr } from "./words";

interface Detector { detect(source: HTMLVideoElement): Promise<{ rawValue: string }[]> }
interface Detectors { new(options: { formats: string[] }): Detector; getSupportedFormats(): Promise<string[]> }

/** A reader gives the texts of the codes that a video shows now; stop lets it go. */
interface Reader { texts(video: HTMLVideoElement): Promise<string[]>; stop(): void }

const formats = ["qr_code", "data_matrix", "code_128"];

/** reader is the browser's own detector, or a worker that is loaded now. */
async function reader(form: HTMLElement): Promise<Reader> {
  const Detectors = (window as { BarcodeDetector?: Detectors }).BarcodeDetector;
  const known = await Detectors?.getSupportedFormats().catch(() => []) ?? [];
  if (Detectors && formats.every((f) => known.includes(f))) {
    const own = new Detectors({ formats });
    return { texts: async (video) => (await own.detect(video)).map((f) => f.rawValue), stop: () => undefined };
  }
  const worker = new Worker(program(form.dataset.scanner ?? ""), { type: "module" });
  worker.postMessage({ wasm: form.dataset.wasm });
  const canvas = make("canvas"), pen = canvas.getContext("2d", { willReadFrequently: true });
  return {
    stop: () => worker.terminate(),
    texts: (video) => new Promise((done, fail) => {
      const scale = Math.min(1, 1280 / Math.max(video.videoWidth, video.videoHeight, 1));
      canvas.width = Math.max(1, Math.round(video.videoWidth * scale));
      canvas.height = Math.max(1, Math.round(video.videoHeight * scale));
      pen?.drawImage(video, 0, 0, canvas.width, canvas.height);
      const picture = pen?.getImageData(0, 0, canvas.width, canvas.height);
      worker.onmessage = (event: MessageEvent<string[] | null>) => event.data ? done(event.data) : fail(new Error("the scanner cannot run"));
      worker.onerror = () => fail(new Error("the scanner cannot be loaded"));
      if (picture) worker.postMessage({ picture }, [picture.data.buffer]);
    }),
  };
}

/** scan shows the camera until a wristband is read, and gives what it says; nothing when it was closed or cannot be. */
export async function scan(form: HTMLElement): Promise<Band | undefined> {
  const said = make("p", { role: "status", class: "ws-camera__said" }, tr("Hold the wristband’s code in front of the camera."));
  const video = make("video", { class: "ws-camera__video", playsinline: "", muted: "", "aria-label": tr("What the camera sees") });
  const close = make("button", { class: "nhsuk-button nhsuk-button--reverse", type: "button" }, tr("Type it instead"));
  const dialog = make("dialog", { class: "ws-camera", "aria-label": tr("Scan the wristband") }, said, make("div", { class: "ws-camera__view" }, video), make("div", { class: "ws-camera__keys" }, close));
  video.muted = true;
  document.body.append(dialog);
  dialog.showModal();
  let open = true;
  dialog.addEventListener("close", () => { open = false; });
  close.addEventListener("click", () => dialog.close());
  let stream: MediaStream | undefined, codes: Reader | undefined, band: Band | undefined;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 } } });
    video.srcObject = stream;
    await video.play();
    codes = await reader(form);
    while (open && !band) {
      const texts = await codes.texts(video);
      for (const text of texts) band ??= read(text);
      if (texts.length && !band) said.textContent = tr("This code holds no NHS or CHI number. Try another code on the wristband.");
      if (!band) await new Promise((go) => setTimeout(go, 120));
    }
  } catch {
    const place = byId("number-says");
    if (place && open) place.textContent = tr("The camera cannot scan here. Allow it for this site, or type the number.");
  } finally {
    codes?.stop();
    for (const track of stream?.getTracks() ?? []) track.stop();
    if (dialog.open) dialog.close();
    dialog.remove();
  }
  if (band) navigator.vibrate?.(80);
  return band;
}
