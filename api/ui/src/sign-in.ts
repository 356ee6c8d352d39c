import { ask, type Problem } from "./ask";
import { make } from "./small";
import { tr } from "./words";

/**
 * signInAgain asks for name and password in a dialog over the page, so that
 * what was typed into the page stays. It gives whether somebody signed in.
 */
export function signInAgain(): Promise<boolean> {
  const said = make("p", { role: "alert", class: "nhsuk-error-message" });
  const name = make("input", { class: "nhsuk-input", id: "again-username", autocomplete: "username", autocapitalize: "none", spellcheck: "false" });
  const password = make("input", { class: "nhsuk-input", id: "again-password", type: "password", autocomplete: "current-password" });
  const code = make("input", { class: "nhsuk-input", id: "again-code", autocomplete: "one-time-code", autocapitalize: "none", spellcheck: "false" });
  const second = make("div", { class: "nhsuk-form-group", hidden: "" }, make("label", { class: "nhsuk-label", for: code.id }, tr("The code of your app, or a recovery code")), code);
  const go = make("button", { class: "nhsuk-button" }, tr("Sign in"));
  const form = make("form", { novalidate: "" },
    make("h2", { id: "again-title" }, tr("You were signed out")),
    make("p", {}, tr("Nothing was done for a while. What you typed is still here: sign in and send again.")),
    said,
    make("div", { class: "nhsuk-form-group" }, make("label", { class: "nhsuk-label", for: name.id }, tr("Username")), name),
    make("div", { class: "nhsuk-form-group" }, make("label", { class: "nhsuk-label", for: password.id }, tr("Password")), password),
    second,
    go);
  const dialog = make("dialog", { class: "ws-dialog", "aria-labelledby": "again-title" }, form);
  document.body.append(dialog);
  dialog.showModal();
  name.focus();
  return new Promise((done) => {
    let inside = false;
    dialog.addEventListener("close", () => { dialog.remove(); done(inside); });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      go.disabled = true;
      try {
        await ask("POST", "/session", { username: name.value, password: password.value, ...(code.value && { code: code.value }) });
        inside = true;
        dialog.close();
      } catch (error) {
        said.textContent = (error as Problem).detail;
        if ((error as Problem).code === "second-factor-needed") {
          second.hidden = false;
          code.focus();
        }
      } finally {
        go.disabled = false;
      }
    });
  });
}
