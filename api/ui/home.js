import { $, ask, problem, say, signIn } from "/session.js";

let key = crypto.randomUUID(); // of this picture, so that sending it again files it once

signIn(async (me) => {
  $("me").textContent = "Signed in as " + me.person.name + ".";
  const clinical = me.person.role === "clinician" || me.person.role === "consultant";
  $("send").hidden = !clinical;
  if (clinical) {
    const { teams } = await ask("GET", "/teams");
    $("team").replaceChildren(...teams.filter((t) => me.teams.includes(t.id)).map((t) => new Option(t.name, t.id)));
  }
  if (clinical || me.person.role === "records-officer") await list();
});

async function list() {
  const { items } = await ask("GET", "/items?limit=20");
  $("list").hidden = false;
  $("none").hidden = items.length > 0;
  $("items").replaceChildren(...items.map((item) => {
    const li = document.createElement("li");
    li.textContent = new Date(item.filed_at).toLocaleString("en-GB") + " – " + item.body_site + " (" + item.format + ")";
    return li;
  }));
}

$("send").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  const data = new FormData(form);
  data.append("idempotency_key", key);
  const bar = $("progress"), button = form.querySelector("button");
  const request = new XMLHttpRequest(); // fetch does not tell how far an upload is
  const over = () => { bar.hidden = true; button.disabled = false; };
  request.open("POST", "/api/v1/items");
  request.upload.addEventListener("progress", (e) => { if (e.lengthComputable) bar.value = e.loaded / e.total; });
  request.addEventListener("error", () => { over(); say("problem", "The signal was lost and the picture was not filed. It is still here: press send again."); });
  request.addEventListener("load", async () => {
    over();
    let answer = {};
    try { answer = JSON.parse(request.responseText); } catch { /* said below */ }
    if (request.status !== 200 && request.status !== 201) { problem(answer); return; }
    const gone = answer.receipt.removed.map((t) => t.kind).join(", ");
    say("done", "Filed and encrypted. Taken out: " + (gone || "nothing was in it") + ".");
    key = crypto.randomUUID();
    form.reset();
    list().catch(problem);
  });
  bar.hidden = false;
  bar.value = 0;
  button.disabled = true;
  request.send(data);
});

$("out").addEventListener("click", async () => {
  try { await ask("DELETE", "/session"); location.reload(); } catch (error) { problem(error); }
});
