// Two pictures of one patient: beside each other, moved and zoomed together,
// or the newer laid over the older. A video is compared by one of its frames.
import OpenSeadragon from "openseadragon";
import { light } from "./light";
import { Reel } from "./reel";
import { byId, make } from "./small";
import { arrived, Stage } from "./stage";
import { Panels, tool, wholeScreen, zoomTools } from "./tools";
import { tr } from "./words";

/** compare makes the two pictures of the page stages that go together. */
export async function compare(place: HTMLElement): Promise<void> {
  const sides = [...place.querySelectorAll<HTMLElement>(".ws-compare__side")];
  const [older, newer] = await Promise.all(sides.map((side) => {
    const window = side.querySelector<HTMLElement>(".ws-viewer__window")!, video = window.querySelector("video");
    return video ? frameOf(window, video) : pictureOf(window);
  }));
  if (!older || !newer) return;
  const link = together(older, newer);
  const badge = make("p", { class: "ws-viewer__badge", role: "status" });
  badge.hidden = true;
  const frame = make("div", { class: "ws-viewer__frame ws-compare__frame" });
  place.before(frame);
  const panels = new Panels();
  panels.add(tr("Light"), light([older, newer], badge));
  const linked = tool(tr("Move together"), tr("Move together"), () => linked.setAttribute("aria-pressed", String(link.toggle())), { "aria-pressed": "true", "data-linked": "" });
  const [lay, panel] = over(place, older, newer, link);
  const bar = make("div", { class: "ws-tools ws-viewer__bar", role: "group", "aria-label": tr("Both pictures") },
    ...zoomTools(older), linked, lay, ...panels.buttons, wholeScreen(frame));
  frame.append(bar, panels.element, panel, place, badge);
}

async function pictureOf(window: HTMLElement): Promise<Stage> {
  const image = window.querySelector<HTMLImageElement>(".ws-viewer__picture")!;
  return new Stage(window, image, await arrived(image));
}

/** frameOf makes the frame of a video that is seen a stage, with what goes to another; the video lies below. */
async function frameOf(window: HTMLElement, video: HTMLVideoElement): Promise<Stage | undefined> {
  const frame = (): HTMLCanvasElement => {
    const { videoWidth: width, videoHeight: height } = video, canvas = make("canvas", { width: String(width), height: String(height) });
    canvas.getContext("2d")!.drawImage(video, 0, 0);
    return canvas;
  };
  if (!await seen(video)) {
    window.parentElement!.after(make("p", { class: "ws-compare__said", role: "status" }, tr("This browser cannot show the frames of this video, so they cannot be compared here. Another browser may.")));
    return undefined;
  }
  const reel = new Reel(video), stage = new Stage(window, frame(), reel.size);
  let shown = -1;
  reel.told(() => {
    if (video.seeking || reel.time === shown) return;
    shown = reel.time;
    stage.change(frame());
  });
  window.parentElement!.after(make("div", { class: "ws-compare__reel" }, reel.progress(window), make("div", { class: "ws-tools ws-viewer__bar", role: "group", "aria-label": tr("The frame of the video") }, ...reel.stepTools())));
  return stage;
}

/** seen waits for the first frame of a video; false where there is none. */
function seen(video: HTMLVideoElement): Promise<boolean> {
  return new Promise((done) => {
    const failed = (): void => done(false);
    if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) return done(true);
    video.addEventListener("loadeddata", () => done(true), { once: true });
    for (const part of [video, ...video.querySelectorAll("source")]) part.addEventListener("error", failed, { once: true });
    if (video.error || video.networkState === HTMLMediaElement.NETWORK_NO_SOURCE) return done(false);
    video.preload = "auto";
    video.currentTime = 1e-3; // a phone fetches no frame before somebody goes to one
  });
}

interface Link { toggle(): boolean; pause(off: boolean): void }

/**
 * together carries what is done to one over to the other: by the share of the
 * picture that is seen, so that pictures of different size go alike.
 */
function together(a: Stage, b: Stage): Link {
  let on = true, paused = false, carrying = false;
  const carry = (from: Stage, to: Stage): void => {
    if (!on || paused || carrying) return;
    carrying = true;
    const { viewport: v } = from.viewer, { viewport: w } = to.viewer;
    w.zoomTo(v.getZoom(true) / v.getHomeZoom() * w.getHomeZoom(), undefined, true);
    // The same place of the picture, by fractions, in the middle.
    const middle = v.getCenter(true);
    w.panTo(new OpenSeadragon.Point(middle.x, middle.y * from.size.width / from.size.height * to.size.height / to.size.width), true);
    if (w.getRotation() !== v.getRotation()) w.setRotation(v.getRotation(), true);
    carrying = false;
  };
  let led: Stage = a;
  for (const [s, other] of [[a, b], [b, a]] as const) {
    for (const event of ["pointerdown", "wheel", "keydown", "focusin"]) s.element.addEventListener(event, () => { led = s; }, { capture: true, passive: true });
    s.moved(() => { if (led === s) carry(s, other); });
  }
  document.addEventListener("click", (event) => { if ((event.target as Element).closest(".ws-viewer__bar")) led = a; }, true);
  return {
    toggle: () => {
      on = !on;
      if (on) carry(led, led === a ? b : a);
      return on;
    },
    pause: (off) => { paused = off; },
  };
}

/** over lays the newer picture over the older, as clear as a slider says, and lets it be fitted by hand. */
function over(place: HTMLElement, older: Stage, newer: Stage, link: Link): [HTMLButtonElement, HTMLElement] {
  const slider = make("input", { type: "range", class: "ws-slider", id: "compare-opacity", min: "0", max: "100", step: "1", value: "50" });
  const panel = make("div", { class: "ws-panel" }, make("div", { class: "ws-panel__slide" }, make("label", { for: slider.id }, tr("Older ↔ newer")), slider), fitting());
  let upper: OpenSeadragon.TiledImage | undefined;
  let turn = 0;
  panel.hidden = true;
  slider.addEventListener("input", () => upper?.setOpacity(Number(slider.value) / 100));
  const lay = tool(tr("Lay over"), tr("Lay over: the newer over the older"), () => {
    const on = lay.getAttribute("aria-pressed") !== "true";
    lay.setAttribute("aria-pressed", String(on));
    panel.hidden = !on;
    place.classList.toggle("ws-compare--over", on);
    link.pause(on);
    requestAnimationFrame(() => { older.viewer.forceResize(); older.fitAll(); }); // it has more room now, or less
    if (on) put();
    else {
      laid++;
      if (upper) older.viewer.world.removeItem(upper);
      upper = undefined;
    }
  }, { "aria-pressed": "false", "data-over": "" });

  let laid = 0;
  /** put lays the newer over the older; where one of its frames was put before, the next one goes. */
  const put = (was?: OpenSeadragon.TiledImage): void => {
    const nth = ++laid, bounds = was?.getBoundsNoRotate();
    older.lay(newer, Number(slider.value) / 100, (image) => {
      const { world } = older.viewer;
      if (nth !== laid) return world.removeItem(image); // there is a later one
      if (!bounds) turn = 0;
      else {
        image.setPosition(bounds.getTopLeft(), true);
        image.setWidth(bounds.width, true);
        image.setRotation(turn, true);
      }
      if (upper) world.removeItem(upper);
      upper = image;
    });
  };
  newer.changed(() => { if (upper) put(upper); });

  function fitting(): HTMLElement {
    const nudge = (x: number, y: number): void => {
      const b = upper?.getBoundsNoRotate();
      if (b) upper?.setPosition(new OpenSeadragon.Point(b.x + x, b.y + y), true);
    };
    const grow = (by: number): void => {
      const b = upper?.getBoundsNoRotate();
      if (!b) return;
      upper?.setWidth(b.width * by, true);
      upper?.setPosition(new OpenSeadragon.Point(b.x + b.width * (1 - by) / 2, b.y + b.height * (1 - by) / 2), true);
    };
    const spin = (by: number): void => upper?.setRotation(turn += by, true);
    return make("div", { class: "ws-tools", role: "group", "aria-label": tr("Fit the newer picture over the older") },
      tool("←", tr("Newer to the left"), () => nudge(-.01, 0)), tool("→", tr("Newer to the right"), () => nudge(.01, 0)), tool("↑", tr("Newer up"), () => nudge(0, -.01)), tool("↓", tr("Newer down"), () => nudge(0, .01)),
      tool(tr("Smaller"), tr("Newer smaller"), () => grow(1 / 1.02)), tool(tr("Larger"), tr("Newer larger"), () => grow(1.02)), tool("↺", tr("Turn the newer left by one degree"), () => spin(-1)), tool("↻", tr("Turn the newer right by one degree"), () => spin(1)));
  }
  return [lay, panel];
}

/** begin looks for two pictures to compare on the page. */
export async function begin(): Promise<void> {
  const place = byId("compare");
  if (place) await compare(place);
}
