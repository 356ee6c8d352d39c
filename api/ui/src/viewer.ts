import { ask } from "./ask";
import { byId } from "./small";

/** viewer lets a picture be seen whole or dot for dot, and waits for what is being made. */
export function viewer(): void {
  const place = byId("viewer");
  if (!place) return;
  zoom(place);
  if (place.dataset.wanted) void wait(place, place.dataset.wanted);
}

function zoom(place: HTMLElement): void {
  const frame = place.querySelector<HTMLElement>(".ws-viewer__window");
  const picture = place.querySelector<HTMLImageElement>(".ws-viewer__picture");
  const keys = place.querySelector<HTMLElement>(".ws-viewer__keys");
  if (!frame || !picture || !keys) return;
  keys.hidden = false;
  const buttons = [...keys.querySelectorAll<HTMLButtonElement>("[data-zoom]")];

  // set keeps the point of the picture at x, y (0 to 1) in the middle.
  const set = (full: boolean, x = .5, y = .5): void => {
    if (full && picture.dataset.full) { // the picture as taken has more to see than the preview
      picture.src = picture.dataset.full;
      delete picture.dataset.full;
    }
    frame.classList.toggle("ws-viewer__window--full", full);
    for (const b of buttons) b.setAttribute("aria-pressed", String((b.dataset.zoom === "full") === full));
    if (full) frame.scrollTo(picture.clientWidth * x - frame.clientWidth / 2, picture.clientHeight * y - frame.clientHeight / 2);
  };
  for (const b of buttons) b.addEventListener("click", () => set(b.dataset.zoom === "full"));
  frame.addEventListener("keydown", (event) => {
    if (event.key === "0" || event.key === "-") set(false);
    else if (event.key === "1" || event.key === "+") set(true);
  });
  picture.addEventListener("dblclick", (event) => {
    const box = picture.getBoundingClientRect();
    set(!frame.classList.contains("ws-viewer__window--full"), (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  });
}

/** told shows how far the making of what is wanted is, and gives its state. */
async function told(place: HTMLElement): Promise<string> {
  try {
    const item = await ask<{ deriving: string; progress?: number }>("GET", "/items/" + place.dataset.item);
    const percent = place.querySelector("[data-percent]");
    if (percent && item.progress !== undefined) percent.textContent = Math.round(100 * item.progress) + " %";
    return item.deriving;
  } catch {
    return "waiting"; // it may be the signal
  }
}

/**
 * wait asks, ever more rarely, whether what is wanted is there. A HEAD request
 * shows nothing, so it is no viewing in the audit.
 */
async function wait(place: HTMLElement, wanted: string): Promise<void> {
  for (let pause = 700; pause < 60_000; pause *= 1.4) {
    await new Promise((go) => setTimeout(go, pause));
    if (document.hidden) continue;
    const there = await fetch(wanted, { method: "HEAD", credentials: "same-origin", cache: "no-store" }).catch(() => null);
    if (there?.status === 401 || there?.status === 410) return;
    if (there?.ok) break;
    if (place.querySelector("video") && await told(place) !== "waiting") break; // a film takes long enough to say how far it is
  }
  // The page again, from the server: in the middle of this one nothing moves
  // but the viewer.
  const page = await fetch(location.href, { credentials: "same-origin", cache: "no-store" }).catch(() => null);
  if (!page?.ok) return;
  const fresh = new DOMParser().parseFromString(await page.text(), "text/html").getElementById("viewer");
  const video = place.querySelector("video");
  if (!fresh || (video && video.currentTime > 0)) return;
  place.replaceWith(document.adoptNode(fresh));
  viewer();
}
