import { tr } from "./words";
export const byId = (id: string): HTMLElement | null => document.getElementById(id);

/** Makes an element with text and attributes. */
export function make<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Record<string, string> = {}, ...content: (Node | string)[]): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...content);
  return e;
}

/** focusProblem takes the reader to what went wrong, or to the link just made. */
export function focusProblem(): void {
  (byId("problem") ?? byId("made"))?.focus();
}

/** copy serves the buttons that copy a field. */
export function copy(): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-copy]")) {
    const field = byId(button.dataset.copy ?? "");
    if (!(field instanceof HTMLInputElement)) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const said = byId("copied");
      field.select();
      try {
        await navigator.clipboard.writeText(field.value);
        if (said) said.textContent = tr("Copied.");
      } catch {
        if (said) said.textContent = tr("Press Ctrl+C, or hold the link and choose Copy.");
      }
    });
  }
}

/** A mistake that somebody can put right, and the field it is in. */
export interface Mistake {
  field: string;
  text: string;
}

/** show puts mistakes into the error summary and beside their fields, and takes the reader there; not who is still typing. */
export function show(mistakes: Mistake[], takeThere = true): void {
  for (const old of document.querySelectorAll(".nhsuk-error-message")) old.remove();
  for (const old of document.querySelectorAll(".nhsuk-form-group--error")) old.classList.remove("nhsuk-form-group--error");
  const messages = byId("messages");
  if (!messages) return;
  messages.replaceChildren();
  const error = tr("Error:") + " ";
  if (document.title.startsWith(error)) document.title = document.title.slice(error.length);
  if (!mistakes.length) return;
  document.title = error + document.title;
  const list = make("ul", { class: "nhsuk-list nhsuk-error-summary__list" });
  for (const { field, text } of mistakes) {
    const group = field ? document.querySelector<HTMLElement>(`[data-field="${CSS.escape(field)}"]`) : null;
    if (!group) {
      list.append(make("li", {}, text));
      continue;
    }
    list.append(make("li", {}, make("a", { href: "#" + field }, text)));
    group.classList.add("nhsuk-form-group--error");
    const message = make("span", { class: "nhsuk-error-message", id: field + "-error" }, make("span", { class: "nhsuk-u-visually-hidden" }, error), text);
    const before = group.querySelector(".nhsuk-date-input, .nhsuk-radios, .nhsuk-checkboxes, input, select, textarea");
    before?.before(message);
    const described = group.querySelector("fieldset") ?? byId(field);
    const hint = byId(field + "-hint");
    described?.setAttribute("aria-describedby", (hint ? hint.id + " " : "") + message.id);
  }
  const summary = make("div", { class: "nhsuk-error-summary", id: "problem", "aria-labelledby": "problem-title", role: "alert", tabindex: "-1" },
    make("h2", { class: "nhsuk-error-summary__title", id: "problem-title" }, tr("There is a problem")),
    make("div", { class: "nhsuk-error-summary__body" }, list));
  messages.append(summary);
  if (takeThere) summary.focus();
}
