// Polyglots are uploaded by a nurse's browser and opened in every way that
// there is: by their address, and as a script, style, frame, object and picture
// of a page of the same site that has no policy of its own.
import { readFileSync, readdirSync } from "node:fs";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const { URL: base, PASSWORD, FILES, CHROMIUM } = process.env;
const browser = await chromium.launch({ timeout: 180_000, executablePath: CHROMIUM,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"] });
const context = await browser.newContext();
context.setDefaultTimeout(60_000);
const ran = [];
await context.exposeBinding("owned", (_, mark) => { ran.push(mark); });
let harness = "", type = "text/html";
await context.route("**/harness", (r) => r.fulfill({ contentType: type, body: harness }));
const page = await context.newPage();

// What this can see: the same payload runs where nothing stops it.
const files = readdirSync(FILES).sort();
harness = readFileSync(`${FILES}/${files.find((f) => f.includes(".html."))}`);
await page.goto(base + "/harness");
await page.waitForTimeout(200);
assert.ok(ran.length > 0, "a page with the payload runs nothing here: this proves nothing");
ran.length = 0;

await page.goto(base + "/sign-in");
await page.fill("#username", "nurse");
await page.fill("#password", PASSWORD);
await page.click("main button");
await page.waitForURL((u) => u.pathname !== "/sign-in");
if (new URL(page.url()).pathname === "/guidance") await page.click("main button");

/** api asks as the page's own script does. */
const api = (method, path, body) => page.evaluate(async ([method, path, body]) => {
  const r = await fetch("/api/v1" + path, { method, ...(body ? { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {}) });
  const bytes = new Uint8Array(await r.arrayBuffer());
  let raw = "";
  for (const b of bytes) raw += String.fromCharCode(b);
  return { status: r.status, raw, type: r.headers.get("Content-Type"), nosniff: r.headers.get("X-Content-Type-Options"), policy: r.headers.get("Content-Security-Policy") };
}, [method, path, body]);

const patient = await api("POST", "/patients", { patient_number_kind: "nhs", patient_number: "9990000018", name: "Test Patient", date_of_birth: "1950-01-31" });
assert.equal(patient.status, 201, patient.raw);
const { teams: [team] } = JSON.parse((await api("GET", "/session")).raw);

/** file uploads a file under a name that is an attack of its own. */
const file = (name, bytes) => page.evaluate(async ([name, bytes, team]) => {
  const form = new FormData();
  for (const [k, v] of Object.entries({ patient_number_kind: "nhs", patient_number: "9990000018", date_of_birth: "1950-01-31", consent: "A", body_site: "left heel", team, note: "<script>owned('note')</script>" })) form.append(k, v);
  form.append("file", new Blob([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], { type: "text/html" }), `${name}"><script>owned('name')</script>.html`);
  const r = await fetch("/api/v1/items", { method: "POST", body: form });
  return { status: r.status, text: await r.text() };
}, [name, bytes.toString("base64"), team]);

const kinds = { jpg: "image/jpeg", png: "image/png", gif: "image/gif", webp: "image/webp", mp4: "video/mp4", heic: "image/heic" };
const filed = [];
let refused = 0;
for (const name of files) {
  const [mark] = name.split(".");
  const sent = await file(name, readFileSync(`${FILES}/${name}`));
  if (sent.status === 415 || sent.status === 422) { refused++; console.log(`${name}: ${JSON.parse(sent.text).code}`); continue; }
  assert.equal(sent.status, 201, `${name}: ${sent.status} ${sent.text}`);
  const { item } = JSON.parse(sent.text);
  filed.push({ name, mark, id: item.id, type: item.media_type });
}
for (const f of filed) {
  const forms = ["original-clean"];
  for (const form of ["preview", "thumbnail", "playable", "poster"]) if ((await api("HEAD", `/items/${f.id}/renditions/${form}`)).status === 200) forms.push(form);
  for (const form of forms) {
    const got = await api("GET", `/items/${f.id}/renditions/${form}`);
    assert.equal(got.status, 200, f.name);
    assert.ok(!got.raw.includes(f.mark) && !got.raw.includes("owned"), `${f.name}: the payload is in what was filed, as ${form}`);
    assert.ok(form !== "original-clean" || got.type === f.type && got.type === kinds[f.name.split(".").pop()], `${f.name}: it is shown as ${got.type}`);
    assert.ok(got.nosniff === "nosniff" && got.policy.includes("sandbox"), f.name);
    const at = `/api/v1/items/${f.id}/renditions/${form}`;
    await page.goto(base + at).catch((e) => assert.match(String(e), /Download is starting|ERR_ABORTED/));
    harness = `<script src="${at}"></script><link rel=stylesheet href="${at}"><iframe src="${at}"></iframe><object data="${at}"></object><embed src="${at}"><img src="${at}"><video src="${at}"></video><script>navigator.serviceWorker?.register("${at}").catch(() => {})</script>`;
    await page.goto(base + "/harness", { waitUntil: "load" });
  }
  await page.goto(`${base}/pictures/${f.id}`);
}
await page.goto(base + "/pictures");
await page.waitForTimeout(300);
assert.deepEqual(ran, [], "something ran");
console.log(`${files.length} polyglots: ${filed.length} filed without their payload, ${refused} refused, 0 executed`);
assert.ok(filed.length >= files.length / 2, "too few are filed to prove anything");
await browser.close();
