// A picture on its page: stage, tools, marks. Loaded only where there is one.
import { Desk } from "./desk";
import { light } from "./light";
import { make } from "./small";
import { arrived, Stage } from "./stage";
import { Panels, tool, wholeScreen, zoomTools } from "./tools";
import { tr } from "./words";

/** What the page needs to know of what is at work on it. */
export interface Look { busy(): boolean; destroy(): void }

/** picture makes the picture of a viewer's place a stage with tools. */
export async function picture(place: HTMLElement): Promise<Look | undefined> {
  const frame = place.querySelector<HTMLElement>(".ws-viewer__frame");
  const window = place.querySelector<HTMLElement>(".ws-viewer__window");
  const image = place.querySelector<HTMLImageElement>(".ws-viewer__picture");
  if (!frame || !window || !image) return undefined;
  const size = await arrived(image);
  const stage = new Stage(window, image, size);
  const badge = make("p", { class: "ws-viewer__badge", role: "status" });
  badge.hidden = true;
  window.append(badge);
  const desk = new Desk(stage, place.dataset.marks ?? "", place.hasAttribute("data-annotates"));
  const panels = new Panels();
  panels.add(tr("Light"), light([stage], badge));
  panels.add(tr("Measure"), desk.measurePanel, () => desk.rest());
  if (place.hasAttribute("data-annotates")) panels.add(tr("Mark"), desk.markPanel, () => desk.rest());
  const bar = make("div", { class: "ws-tools ws-viewer__bar", role: "group", "aria-label": tr("The picture") }, ...zoomTools(stage), ...panels.buttons, wholeScreen(frame));
  if (image.hasAttribute("data-moving")) bar.append(plain(window));
  frame.prepend(bar, panels.element);
  frame.after(desk.list);
  void desk.load();
  return { busy: () => desk.busy, destroy: () => stage.destroy() };
}

/** plain is a button that shows an animation move, which a stage does not. */
function plain(window: HTMLElement): HTMLButtonElement {
  const b = tool(tr("Moving"), tr("Moving: without zoom and marks"), () => b.setAttribute("aria-pressed", String(!window.classList.toggle("ws-viewer__window--live"))), { "aria-pressed": "false" });
  return b;
}
