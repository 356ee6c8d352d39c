import { ask, type Problem } from "./ask";
import { byId, show } from "./small";
import { language, tr } from "./words";

interface Visited { purpose: string; expires_at: string; from: string }
interface Grant { id: string }

/** link opens the link whose secret stands after the # of this page's address. */
export function link(): void {
  if (!byId("link-page")) return;
  const form = byId("link-sign-in") as HTMLFormElement;
  const open = byId("link-open") as HTMLElement;
  const go = byId("link-go") as HTMLButtonElement;
  // The secret leaves the address at once, so that it is neither in the
  // history nor on the screen. It is kept for this page only.
  const secret = location.hash.slice(1);
  history.replaceState(null, "", "/l");
  if (!secret) {
    refuse(tr("This link is not complete. Copy the whole link, or ask whoever sent it for a new one."));
    return;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button") as HTMLButtonElement;
    button.disabled = true;
    try {
      await ask("POST", "/session", { username: (byId("username") as HTMLInputElement).value, password: (byId("password") as HTMLInputElement).value });
      form.reset();
      show([]);
      await visit();
    } catch (error) {
      refuse((error as Problem).detail);
    } finally {
      button.disabled = false;
    }
  });

  go.addEventListener("click", async () => {
    go.disabled = true;
    try {
      const grant = await ask<Grant>("POST", "/links/open", { secret });
      location.replace("/opened/" + grant.id);
    } catch (error) {
      go.disabled = false;
      if ((error as Problem).status === 401) signIn();
      else end(error as Problem);
    }
  });

  void visit();

  async function visit(): Promise<void> {
    try {
      const l = await ask<Visited>("POST", "/links/visit", { secret });
      const people = await ask<{ people: { id: string; name: string }[] }>("GET", "/people");
      form.hidden = true;
      say("link-from", people.people.find((p) => p.id === l.from)?.name ?? tr("A colleague"));
      say("link-purpose", l.purpose);
      say("link-ends", new Date(l.expires_at).toLocaleString(language(), { dateStyle: "long", timeStyle: "short" }));
      open.hidden = false;
      go.focus();
    } catch (error) {
      if ((error as Problem).status === 401) signIn();
      else end(error as Problem);
    }
  }

  function signIn(): void {
    open.hidden = true;
    form.hidden = false;
  }

  function end(problem: Problem): void {
    open.hidden = true;
    form.hidden = true;
    refuse(problem.detail);
  }
}

function refuse(text: string): void { show([{ field: "", text }]); }

function say(id: string, text: string): void {
  const e = byId(id);
  if (e) e.textContent = text;
}
