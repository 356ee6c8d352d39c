// The tools around what is looked at: buttons, and panels that open below them.
import { make } from "./small";
import type { Closer } from "./surface";
import { tr } from "./words";

/** A button; its shape says nothing to who cannot see it, so it has a name. */
export function tool(text: string, name: string, act: () => void, more: Record<string, string> = {}): HTMLButtonElement {
  const b = make("button", { class: "ws-tool", type: "button", ...(name === text ? {} : { "aria-label": name, title: name }), ...more }, text);
  b.addEventListener("click", act);
  return b;
}

let opened = 0;

/** Panels of which one is open at a time, each with its button. */
export class Panels {
  readonly buttons: HTMLButtonElement[] = [];
  readonly element = make("div", { class: "ws-panels" });

  add(text: string, panel: HTMLElement, closed: () => void = () => { /* nothing to put down */ }): void {
    panel.id = "panel-" + ++opened;
    panel.hidden = true;
    const b = tool(text, text, () => {
      const open = panel.hidden;
      for (const other of this.buttons) if (other !== b && other.getAttribute("aria-expanded") === "true") other.click();
      panel.hidden = !open;
      b.setAttribute("aria-expanded", String(open));
      if (!open) closed();
    }, { "aria-expanded": "false", "aria-controls": panel.id });
    this.buttons.push(b);
    this.element.append(panel);
  }
}

/**
 * wholeScreen is a button that gives a frame the whole screen, with its tools
 * and its watermark. Where a browser cannot, the frame fills the window.
 */
export function wholeScreen(frame: HTMLElement): HTMLButtonElement {
  const able = typeof frame.requestFullscreen === "function" && document.fullscreenEnabled;
  const b = tool(tr("Full screen"), tr("Full screen"), () => {
    if (!able) {
      show(frame.classList.toggle("ws-viewer__frame--whole"));
      return;
    }
    if (document.fullscreenElement) void document.exitFullscreen();
    else void frame.requestFullscreen().catch(() => show(frame.classList.toggle("ws-viewer__frame--whole")));
  }, { "aria-pressed": "false" });
  const show = (whole: boolean): void => {
    b.setAttribute("aria-pressed", String(whole));
    document.documentElement.classList.toggle("ws-still", frame.classList.contains("ws-viewer__frame--whole"));
  };
  document.addEventListener("fullscreenchange", () => show(document.fullscreenElement === frame));
  frame.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && frame.classList.contains("ws-viewer__frame--whole") && !event.defaultPrevented) show(frame.classList.toggle("ws-viewer__frame--whole"));
  });
  return b;
}

/** zoomTools are the buttons of whatever is looked at closely. */
export function zoomTools(lead: Closer): HTMLElement[] {
  const scale = make("span", { class: "ws-viewer__scale" });
  lead.moved(() => { scale.textContent = Math.round(100 * lead.scale) + " %"; });
  return [
    tool("−", tr("Zoom out"), () => lead.zoomBy(1 / 1.5)), tool("+", tr("Zoom in"), () => lead.zoomBy(1.5)),
    tool(tr("Fit"), tr("Fit: show all"), () => lead.fitAll(), { "data-zoom": "fit" }), tool("100 %", tr("100 %: show every pixel"), () => lead.zoomTo(1), { "data-zoom": "full" }),
    tool(tr("Turn"), tr("Turn by a quarter, clockwise"), () => lead.turn(), { "data-turn": "" }), scale,
  ];
}
