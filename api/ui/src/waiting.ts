// The part of a page that shows what waits to be sent.
import { putPatientRight } from "./right";
import { discard, again, halted, onChange, putRight, standing, type Standing } from "./queue";
import { signInAgain } from "./sign-in";
import { byId, make } from "./small";
import { tr } from "./words";

/** waiting shows what waits, on the page for it and above the form to send. */
export function waiting(): void {
  const page = byId("waiting-page"), before = byId("send");
  if (!page && !before) return;
  const list = make("ul", { class: "ws-waiting__list" }), said = make("p", { role: "status", class: "ws-waiting__said" }), do_ = make("div", { class: "ws-waiting__do" });
  const section = make("section", { class: "ws-waiting", "aria-labelledby": "waiting-title" },
    make("h2", { id: "waiting-title", class: page ? "nhsuk-u-visually-hidden" : "nhsuk-heading-s" }, page ? tr("What waits") : tr("Waiting to be sent")), said, do_, list);
  if (page) page.append(section);
  else before?.before(section);
  const rows = new Map<string, Row>();
  let busy = false, once = false;
  const draw = async (): Promise<void> => {
    if (busy) { once = true; return; }
    busy = true;
    try {
      const all = await standing();
      section.hidden = !page && all.length === 0;
      for (const [id, row] of rows) if (!all.some((s) => s.entry.id === id)) { row.element.remove(); rows.delete(id); }
      for (const s of all) {
        let row = rows.get(s.entry.id);
        if (!row) { row = new Row(s); rows.set(s.entry.id, row); list.append(row.element); }
        row.show(s);
      }
      head(all);
    } catch { /* no database: nothing waits */ } finally {
      busy = false;
      if (once) { once = false; void draw(); }
    }
  };
  let wasSaid = "";
  const head = (all: Standing[]): void => {
    const open = all.filter((s) => s.state !== "filed" && s.state !== "refused").length;
    const why = halted();
    const text = !all.length ? tr("Nothing waits. Everything that you sent from this phone has arrived.") :
      !open ? "" : why === "signed-out" ? tr("You are signed out. What waits is kept; sign in, and it goes on.") :
      why === "no-signal" || !navigator.onLine ? tr("No signal just now. What waits is kept, encrypted, and goes by itself when the signal is back.") : "";
    const key = text + why + (open > 0);
    if (key === wasSaid) return;
    wasSaid = key;
    said.textContent = text;
    do_.replaceChildren();
    if (!open || !why) return;
    const button = make("button", { type: "button", class: "nhsuk-button nhsuk-button--secondary" }, why === "signed-out" ? tr("Sign in and send") : tr("Try now"));
    button.addEventListener("click", async () => {
      if (why === "signed-out" && !await signInAgain()) return;
      await again();
    });
    do_.append(button);
  };
  onChange(() => void draw());
  void draw();
}

const WORDS = { queued: tr("Waiting"), sending: tr("Sending"), filing: tr("Sent; it is being cleaned and encrypted"), filed: tr("Filed"), refused: tr("Not filed") };

/** Row is one entry. It is changed and not drawn anew, so that focus stays. */
class Row {
  readonly element: HTMLLIElement;
  private readonly state = make("strong", { class: "nhsuk-tag" });
  private readonly about = make("p", { class: "ws-waiting__about" });
  private readonly bar: HTMLProgressElement;
  private readonly ways = make("div", { class: "ws-waiting__ways" });
  private shown = "";

  constructor(s: Standing) {
    const name = make("p", { class: "ws-waiting__name", id: "w-" + s.entry.id }, s.entry.label);
    this.bar = make("progress", { max: "100", "aria-labelledby": name.id });
    this.element = make("li", { class: "ws-waiting__entry" }, make("div", { class: "ws-waiting__head" }, name, this.state), this.bar, this.about, this.ways);
  }

  show(s: Standing): void {
    this.bar.hidden = s.state !== "sending";
    if (s.state === "sending") this.bar.value = 100 * s.sent / s.entry.bytes;
    const key = s.state + (s.entry.refused?.code ?? "");
    if (key === this.shown) return;
    this.shown = key;
    this.state.textContent = WORDS[s.state];
    this.state.className = "nhsuk-tag " + { queued: "nhsuk-tag--grey", sending: "", filing: "", filed: "nhsuk-tag--green", refused: "nhsuk-tag--red" }[s.state];
    this.element.dataset.state = s.state;
    this.about.textContent = s.entry.refused?.detail ?? (s.repeated ? tr("It had been filed before; nothing was stored twice.") : "");
    this.ways.replaceChildren();
    if (s.item) this.ways.append(make("a", { href: "/pictures/" + s.item }, tr("Open it")));
    if (s.state === "filed" || s.state === "filing") return;
    if (s.entry.refused && s.entry.refused.code !== "lost-here") {
      const way = (text: string, act: () => void): void => {
        const button = make("button", { type: "button", class: "nhsuk-button nhsuk-button--secondary", "aria-describedby": "w-" + s.entry.id }, text);
        button.addEventListener("click", act);
        this.ways.append(button);
      };
      way(tr("Put the patient right"), () => void putPatientRight(s.entry));
      way(tr("Send again"), () => void putRight(s.entry));
    }
    const remove = make("button", { type: "button", class: "nhsuk-button nhsuk-button--secondary", "aria-describedby": "w-" + s.entry.id }, tr("Delete"));
    let sure = false;
    remove.addEventListener("click", () => {
      if (sure) { void discard(s.entry); return; }
      sure = true;
      remove.textContent = tr("Delete for good?");
      remove.classList.replace("nhsuk-button--secondary", "nhsuk-button--warning");
      setTimeout(() => { sure = false; remove.textContent = tr("Delete"); remove.classList.replace("nhsuk-button--warning", "nhsuk-button--secondary"); }, 6_000);
    });
    this.ways.append(remove);
  }
}
