import { make } from "./small";

/** choose asks a question in a dialog and gives the answer's value, or "" when it was closed. */
export function choose(title: string, text: string, answers: [value: string, text: string][]): Promise<string> {
  const dialog = make("dialog", { class: "ws-dialog", "aria-labelledby": "choose-title" },
    make("h2", { id: "choose-title" }, title), make("p", {}, text));
  let answer = "";
  answers.forEach(([value, words], i) => {
    const button = make("button", { class: "nhsuk-button ws-wide" + (i ? " nhsuk-button--secondary" : ""), type: "button", value }, words);
    button.addEventListener("click", () => { answer = value; dialog.close(); });
    dialog.append(button);
  });
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => { dialog.remove(); done(answer); }));
}
