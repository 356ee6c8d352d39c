import { ask, type Problem } from "./ask";
import { byId, show } from "./small";
import { tr } from "./words";

/**
 * invited lets in somebody outside, by the secret after the # of this page's
 * address and the code that is mailed to them. A page that is only fetched, as
 * mail scanners do, sends nothing and uses nothing up.
 */
export function invited(): void {
  if (!byId("invited-page")) return;
  const first = byId("invited-ask") as HTMLFormElement;
  const enter = byId("invited-enter") as HTMLFormElement;
  const again = byId("invited-again") as HTMLButtonElement;
  const code = byId("code") as HTMLInputElement;
  // The secret leaves the address at once, so that it is neither in the
  // history nor on the screen. It is kept for this page only.
  const secret = location.hash.slice(1);
  history.replaceState(null, "", "/invited");
  if (!secret) {
    show([{ field: "", text: tr("This link is not complete. Open the link in the mail again, whole.") }]);
    return;
  }
  first.hidden = false;

  first.addEventListener("submit", (event) => {
    event.preventDefault();
    void send();
  });
  again.addEventListener("click", () => void send());
  enter.addEventListener("submit", async (event) => {
    event.preventDefault();
    await busy(async () => {
      await ask("POST", "/invited/open", { secret, code: code.value });
      location.replace("/invited/pictures");
    });
  });

  async function send(): Promise<void> {
    say("");
    await busy(async () => {
      await ask("POST", "/invited/code", { secret });
      first.hidden = true;
      enter.hidden = false;
      code.value = "";
      say(tr("A code was sent."));
      code.focus();
    });
  }

  async function busy(work: () => Promise<void>): Promise<void> {
    const buttons = document.querySelectorAll<HTMLButtonElement>("#invited-page button");
    for (const b of buttons) b.disabled = true;
    try {
      show([]);
      await work();
    } catch (error) {
      const p = error as Problem;
      if (p.status === 404 || p.status === 410 && p.field !== "code") first.hidden = enter.hidden = true; // it will not come back
      else if (p.status === 429) [first.hidden, enter.hidden] = [true, false]; // one is on its way
      show([{ field: p.field === "code" ? "code" : "", text: p.detail }]);
    } finally {
      for (const b of buttons) b.disabled = false;
    }
  }

  function say(text: string): void {
    const e = byId("invited-says");
    if (e) e.textContent = text;
  }
}
