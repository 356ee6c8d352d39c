import { putRight } from "./queue";
import { byId, make } from "./small";
import type { Entry } from "./store";
import { tr } from "./words";

/** putPatientRight asks for the patient of an entry anew: what was typed is sealed with the picture and cannot be read back. */
export function putPatientRight(entry: Entry): Promise<void> {
  const group = (label: string, field: HTMLElement, hint = ""): HTMLElement => make("div", { class: "nhsuk-form-group" },
    make("label", { class: "nhsuk-label nhsuk-label--s", for: field.id }, label), ...(hint ? [make("div", { class: "nhsuk-hint" }, hint)] : []), field);
  const kind = make("select", { class: "nhsuk-select", id: "right-kind" }, new Option(tr("NHS number"), "nhs"), new Option(tr("CHI number"), "chi"));
  const number = make("input", { class: "nhsuk-input nhsuk-input--width-10", id: "right-number", inputmode: "numeric", autocomplete: "off" });
  const born = make("input", { class: "nhsuk-input nhsuk-input--width-10", id: "right-born", type: "date", max: new Date().toISOString().slice(0, 10) });
  const said = make("p", { role: "alert", class: "nhsuk-error-message" });
  const go = make("button", { class: "nhsuk-button" }, tr("Send again"));
  const leave = make("button", { type: "button", class: "nhsuk-button nhsuk-button--secondary" }, tr("Not now"));
  const form = make("form", { novalidate: "" },
    make("h2", { id: "right-title" }, tr("Whose picture is this?")),
    make("p", {}, entry.label + ". " + (entry.refused?.detail ?? "")),
    make("p", {}, tr("The picture is sealed and stays as it is. Enter the patient again, from the wristband.")),
    said, group(tr("Kind of patient number"), kind), group(tr("Patient number"), number, tr("10 digits, from the wristband")), group(tr("Date of birth"), born), go, " ", leave);
  const dialog = make("dialog", { class: "ws-dialog", "aria-labelledby": "right-title" }, form);
  document.body.append(dialog);
  dialog.showModal();
  number.focus();
  return new Promise((done) => {
    dialog.addEventListener("close", () => { dialog.remove(); byId("waiting-title")?.focus(); done(); });
    leave.addEventListener("click", () => dialog.close());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (!number.value.trim() || !born.value) {
        said.textContent = tr("Enter the patient’s number and the date of birth.");
        (number.value.trim() ? born : number).focus();
        return;
      }
      go.disabled = true;
      const data = new FormData();
      data.set("patient_number_kind", kind.value);
      data.set("patient_number", number.value.trim());
      data.set("date_of_birth", born.value);
      data.set("sex", "");
      data.set("case", ""); // it may have been another patient's
      try {
        const sent = putRight(entry, data);
        dialog.close();
        await sent;
      } catch {
        said.textContent = tr("It cannot be sent just now. It is kept; try again where there is a signal.");
        go.disabled = false;
      }
    });
  });
}
