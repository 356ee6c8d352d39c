// What every page needs: asking the API, saying what went wrong, signing in.
export const $ = (id) => document.getElementById(id);

export async function ask(method, path, body) {
  let response;
  try {
    response = await fetch("/api/v1" + path, {
      method, credentials: "same-origin", cache: "no-store",
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw { detail: "The server cannot be reached. Check your signal and try again; nothing was lost.", status: 0 };
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => ({ detail: "The server gave an answer that cannot be read. Try again." }));
  if (!response.ok) throw answer;
  return answer;
}

export function say(kind, text) {
  const box = $("message");
  box.className = kind;
  box.textContent = text;
  box.hidden = !text;
  if (text) box.focus();
}

export function problem(error) {
  say("problem", error && error.detail ? error.detail : "Something went wrong. Try again.");
}

// signIn shows the form until somebody is signed in, then calls next.
export async function signIn(next) {
  $("signin").addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      await ask("POST", "/session", { username: form.username.value, password: form.password.value });
      form.reset();
      say("", "");
      await enter();
    } catch (error) { problem(error); } finally { button.disabled = false; }
  });
  async function enter() {
    const me = await ask("GET", "/session");
    $("signin").hidden = true;
    $("inside").hidden = false;
    await next(me);
  }
  try { await enter(); } catch (error) {
    if (error.status !== 401) problem(error);
    $("signin").hidden = false;
  }
}
