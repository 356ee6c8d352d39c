import { byId, make } from "./small";
import { tr } from "./words";

/** ticks counts what is ticked of a list, and ticks all of it or none. */
export function ticks(): void {
  const bar = byId("ticks"), form = bar?.closest("form");
  if (!bar || !form) return;
  const boxes = [...form.querySelectorAll<HTMLInputElement>("input[name=item]")];
  if (!boxes.length) return;
  const said = make("p", { role: "status" });
  const button = make("button", { class: "nhsuk-button nhsuk-button--secondary nhsuk-button--small", type: "button" });
  function tell(): void {
    const n = boxes.filter((b) => b.checked).length;
    said.textContent = tr("{n} of {all} ticked", { n, all: boxes.length });
    button.textContent = n < boxes.length ? tr("Tick all on this page") : tr("Tick none");
  }
  button.addEventListener("click", () => {
    const all = boxes.some((b) => !b.checked);
    for (const b of boxes) b.checked = all;
    tell();
  });
  form.addEventListener("change", tell);
  tell();
  bar.append(button, said);
  bar.hidden = false;
}
