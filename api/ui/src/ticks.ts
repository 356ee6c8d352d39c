import { byId, make } from "./small";

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
    said.textContent = `${n} of ${boxes.length} ticked`;
    button.textContent = n < boxes.length ? "Tick all on this page" : "Tick none";
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
