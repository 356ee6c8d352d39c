// Two pictures of one patient: beside each other, moved and zoomed together,
// or the newer laid over the older.
import OpenSeadragon from "openseadragon";
import { light } from "./light";
import { zoomTools } from "./picture";
import { byId, make } from "./small";
import { arrived, Stage } from "./stage";
import { Panels, tool, wholeScreen } from "./tools";
import { tr } from "./words";

/** compare makes the two pictures of the page stages that go together. */
export async function compare(place: HTMLElement): Promise<void> {
  const sides = [...place.querySelectorAll<HTMLElement>(".ws-compare__side")];
  const stages = await Promise.all(sides.map(async (side) => {
    const image = side.querySelector<HTMLImageElement>(".ws-viewer__picture")!;
    return new Stage(side.querySelector<HTMLElement>(".ws-viewer__window")!, image, await arrived(image));
  }));
  const [older, newer] = stages;
  if (!older || !newer) return;
  const link = together(older, newer);
  const badge = make("p", { class: "ws-viewer__badge", role: "status" });
  badge.hidden = true;
  const frame = make("div", { class: "ws-viewer__frame ws-compare__frame" });
  place.before(frame);
  const panels = new Panels();
  panels.add(tr("Light"), light(stages, badge));
  const linked = tool(tr("Move together"), tr("Move together"), () => linked.setAttribute("aria-pressed", String(link.toggle())), { "aria-pressed": "true", "data-linked": "" });
  const [lay, panel] = over(place, older, newer, link);
  const bar = make("div", { class: "ws-tools ws-viewer__bar", role: "group", "aria-label": tr("Both pictures") },
    ...zoomTools(stages), linked, lay, ...panels.buttons, wholeScreen(frame));
  frame.append(bar, panels.element, panel, place, badge);
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
    requestAnimationFrame(() => { older.viewer.forceResize(); older.fit(); }); // it has more room now, or less
    if (on) older.lay(newer, Number(slider.value) / 100, (image) => { upper = image; [turn] = [0]; });
    else {
      if (upper) older.viewer.world.removeItem(upper);
      upper = undefined;
    }
  }, { "aria-pressed": "false", "data-over": "" });

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
