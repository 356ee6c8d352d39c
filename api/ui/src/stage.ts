// The picture on a stage that zooms and turns, by OpenSeadragon. It starts
// with what the page shows already and fetches the picture as it was taken
// when somebody looks closer than that can show.
import OpenSeadragon from "openseadragon";
import type { Point, Size } from "./geometry";
import { make } from "./small";
import { closest, type Closer } from "./surface";
import { tr } from "./words";

/** A picture, or one frame of a video. */
type Image = HTMLImageElement | HTMLCanvasElement;
const isPicture = (image: Image): image is HTMLImageElement => image instanceof HTMLImageElement;
const sizeOf = (image: Image): Size => isPicture(image) ? { width: image.naturalWidth, height: image.naturalHeight } : image;

export class Stage implements Closer {
  readonly element: HTMLElement;
  readonly viewer: OpenSeadragon.Viewer;
  private full: string | undefined;
  private shown: OpenSeadragon.TiledImage | undefined;
  private image: Image;
  private readonly calls: (() => void)[] = [];
  private readonly others: (() => void)[] = [];
  private readonly place: HTMLElement;

  /** Opens the picture of a window, or a frame; an image must have arrived. */
  constructor(readonly window: HTMLElement, readonly picture: Image, readonly size: Size) {
    this.full = picture.dataset.full;
    this.image = picture;
    this.place = make("div", { class: "ws-viewer__stage" });
    window.querySelector("img, video")!.after(this.place);
    window.style.setProperty("--shape", `${size.width} / ${size.height}`);
    window.classList.add("ws-viewer__window--live");
    unstyled();
    const quick = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.viewer = OpenSeadragon({
      element: this.place, drawer: "canvas", showNavigationControl: false, showNavigator: false, keyboardNavEnabled: false,
      animationTime: quick ? 0 : .35, springStiffness: 8, visibilityRatio: .5, minZoomImageRatio: .7, maxZoomPixelRatio: closest,
      preserveImageSizeOnResize: false, preserveViewport: true, zoomPerScroll: 1.25, silenceMultiImageWarnings: true, immediateRender: true,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true, scrollToZoom: true },
      gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: true, pinchToZoom: true, flickEnabled: !quick, pinchRotate: false },
    });
    this.element = this.viewer.canvas as HTMLElement;
    this.element.tabIndex = 0;
    this.element.classList.add("ws-viewer__canvas");
    this.element.setAttribute("role", "application");
    this.element.setAttribute("aria-label", tr("{name}. Plus and minus zoom, 0 shows all, 1 shows every pixel, R turns, arrows move.", { name: window.dataset.alt ?? tr("The picture") }));
    this.element.addEventListener("keydown", (event) => this.key(event));
    for (const event of ["update-viewport", "resize", "rotate"] as const) this.viewer.addHandler(event, () => this.tell());
    this.viewer.addHandler("animation-finish", () => this.tell());
    this.add(picture, isPicture(picture) ? picture.src.endsWith("/preview") ? "preview" : "original" : "frame");
  }

  /** add lays an image over what is shown; both are one unit wide. */
  private add(image: Image, name: string): void {
    this.image = image;
    this.viewer.addTiledImage({
      tileSource: sourceOf(image), x: 0, y: 0, width: 1,
      success: (event) => {
        if (!this.shown) this.viewer.viewport.goHome(true);
        this.shown = (event as unknown as { item: OpenSeadragon.TiledImage }).item; // what was shown before stays below
        this.window.dataset.shows = name;
        this.tell();
      },
    });
  }

  /** change shows another frame, of the same size, in place of the one before. */
  change(frame: HTMLCanvasElement): void {
    this.image = frame;
    this.viewer.addTiledImage({ tileSource: sourceOf(frame), x: 0, y: 0, width: 1, index: 0, replace: true });
    for (const call of this.others) call();
  }
  /** Calls back whenever it shows another frame. */
  changed(call: () => void): void { this.others.push(call); }

  /** lay puts another stage's picture over this one, in the middle and as wide. */
  lay(other: Stage, opacity: number, laid: (image: OpenSeadragon.TiledImage) => void): void {
    const tall = this.size.height / this.size.width, its = other.size.height / other.size.width;
    this.viewer.addTiledImage({
      tileSource: sourceOf(other.image), x: 0, y: (tall - its) / 2, width: 1, opacity,
      success: (event) => laid((event as unknown as { item: OpenSeadragon.TiledImage }).item),
    });
  }

  private tell(): void {
    if (!this.shown) return;
    this.window.dataset.scale = this.scale.toFixed(4);
    this.window.dataset.turned = String(this.turned);
    if (this.full && this.scale * devicePixelRatio > sizeOf(this.picture).width / this.size.width * 1.05) void this.closer(this.full);
    for (const call of this.calls) call();
  }

  /** closer fetches the picture as it was taken. */
  private async closer(address: string): Promise<void> {
    this.full = undefined;
    this.window.dataset.shows = "fetching";
    const image = new Image();
    image.src = address;
    try {
      await image.decode();
    } catch { // the signal, or a link that has ended: what is shown stays, and a next step tries again
      this.window.dataset.shows = "preview";
      setTimeout(() => { this.full = address; }, 3000);
      return;
    }
    this.add(image, "original");
  }

  /** Pixels of the screen for one of the picture. */
  get scale(): number {
    return this.viewer.viewport.getZoom(true) * this.viewer.viewport.getContainerSize().x / this.size.width;
  }
  get turned(): number { return ((this.viewer.viewport.getRotation(true) % 360) + 360) % 360; }

  zoomTo(scale: number): void {
    const { viewport } = this.viewer, zoom = scale * this.size.width / viewport.getContainerSize().x;
    (viewport as unknown as { minZoomLevel: number }).minZoomLevel = Math.min(.7 * viewport.getHomeZoom(), zoom); // every pixel of a very small picture is less than the whole stage
    viewport.zoomTo(zoom);
    this.settle();
  }
  zoomBy(factor: number): void { this.viewer.viewport.zoomBy(factor); this.settle(); }
  fitAll(): void { this.viewer.viewport.goHome(); }
  turn(): void {
    this.viewer.viewport.setRotation(this.viewer.viewport.getRotation() + 90);
    this.settle();
  }
  /** move goes by fractions of what is seen. */
  move(x: number, y: number): void {
    const box = this.viewer.viewport.getContainerSize();
    this.viewer.viewport.panBy(this.viewer.viewport.deltaPointsFromPixels(new OpenSeadragon.Point(x * box.x, y * box.y)));
    this.settle();
  }
  private settle(): void { this.viewer.viewport.applyConstraints(); }

  project(p: Point): Point {
    const at = this.viewer.viewport.pixelFromPoint(new OpenSeadragon.Point(p[0], p[1] * this.size.height / this.size.width), true);
    return [at.x, at.y];
  }
  unproject(p: Point): Point {
    const at = this.viewer.viewport.pointFromPixel(new OpenSeadragon.Point(p[0], p[1]), true);
    return [at.x, at.y * this.size.width / this.size.height];
  }
  moved(call: () => void): void { this.calls.push(call); }
  readonly drawn = (): Iterable<HTMLElement> => this.element.querySelectorAll("canvas");

  /** Keys; a tool that is at work takes those it needs first. */
  private key(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.target !== this.element) return;
    const does: Record<string, () => void> = {
      "+": () => this.zoomBy(1.5), "=": () => this.zoomBy(1.5), "-": () => this.zoomBy(1 / 1.5), "_": () => this.zoomBy(1 / 1.5),
      "0": () => this.fitAll(), "1": () => this.zoomTo(1), "r": () => this.turn(), "R": () => this.turn(),
      ArrowLeft: () => this.move(-.15, 0), ArrowRight: () => this.move(.15, 0), ArrowUp: () => this.move(0, -.15), ArrowDown: () => this.move(0, .15),
    };
    const act = does[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  destroy(): void {
    this.viewer.destroy();
    this.place.remove();
    this.window.classList.remove("ws-viewer__window--live");
  }
}

const tileEdge = 512;
let frames = 0;

/**
 * sourceOf cuts an image that has arrived into tiles, each drawn when it is
 * looked at, in the size it is looked at. A canvas for the whole would be more
 * than a phone allows. The browser draws it upright.
 */
function sourceOf(image: Image): OpenSeadragon.TileSource {
  const { width, height } = sizeOf(image), name = isPicture(image) ? image.src : "frame:" + ++frames;
  const deepest = Math.ceil(Math.log2(Math.max(width, height, 2)));
  const source = new OpenSeadragon.TileSource({
    width, height, tileWidth: tileEdge, tileHeight: tileEdge, tileOverlap: 1, minLevel: Math.min(8, deepest), maxLevel: deepest,
  } as OpenSeadragon.TileSourceOptions);
  return Object.assign(source, {
    getTileUrl: (level: number, x: number, y: number) => `${name}#${level}/${x}/${y}`, // a name; it is not fetched
    getTilePostData: (level: number, x: number, y: number) => ({ level, x, y }),
    downloadTileStart: (job: { postData: { level: number; x: number; y: number }; finish(data: unknown, request: unknown, type: string): void }) => {
      const { level, x, y } = job.postData;
      job.finish(cut(image, 2 ** (deepest - level), x, y), null, "context2d");
    },
    downloadTileAbort: () => { /* it is here already */ },
  });
}

/** cut draws one tile, with a pixel of its neighbours on each side; by is how much smaller than the image it is. */
function cut(image: Image, by: number, x: number, y: number): CanvasRenderingContext2D {
  const side = (n: number, whole: number): [from: number, long: number] => {
    const all = Math.ceil(whole / by), from = Math.max(n * tileEdge - 1, 0);
    return [from, Math.max(Math.min((n + 1) * tileEdge + 1, all) - from, 1)];
  };
  const all = sizeOf(image), [left, width] = side(x, all.width), [top, height] = side(y, all.height);
  const canvas = make("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d")!;
  context.imageSmoothingQuality = "high";
  context.drawImage(image, left * by, top * by, width * by, height * by, 0, 0, width, height);
  return context;
}

/**
 * unstyled keeps the library from adding a style element, which the policy of
 * the pages refuses: it adds none where there is something of this name.
 */
function unstyled(): void {
  if (document.querySelector("style[data-openseadragon-mobile-css]")) return;
  const stand = document.createElementNS("", "style"); // of no language: it styles nothing
  stand.setAttribute("data-openseadragon-mobile-css", "");
  document.head.append(stand);
}

/** arrived waits for a picture of the page and gives its size as taken, upright. */
export async function arrived(picture: HTMLImageElement): Promise<Size> {
  if (!picture.complete || !picture.naturalWidth) await picture.decode();
  const width = Number(picture.dataset.width), height = Number(picture.dataset.height);
  // A size that lies across the picture is that of the sensor, before it was turned upright.
  const across = width > 0 && (width - height) * (picture.naturalWidth - picture.naturalHeight) < 0;
  if (!(width > 0)) return { width: picture.naturalWidth, height: picture.naturalHeight };
  return across ? { width: height, height: width } : { width, height };
}
