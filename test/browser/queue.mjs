// Walks the way of a picture that meets no signal, a closed page, a killed
// server and another person on the same phone.
//
//   CONTROL  POST /kill, /start, /stop and /go here do that to the server
//   PICTURE  a JPEG as a phone makes it
import { readFileSync } from "node:fs";
import assert from "node:assert/strict";
import { Screen, base, password, walks } from "./screen.mjs";

const { CONTROL, PICTURE } = process.env;
const phone = readFileSync(PICTURE);
let made = 0;
const picture = (more = 0) => ({ name: "IMG_0001.JPG", mimeType: "image/jpeg", buffer: Buffer.concat([phone, Buffer.from("tail " + ++made), Buffer.alloc(more)]) });
const control = async (what) => assert.equal((await fetch(CONTROL + what, { method: "POST" })).status, 200);

Screen.everyTime = true;
const first = await Screen.open(390), { context } = first; // all is on one phone
first.expected.push("net::ERR_", 401, 403, 422); // no signal, a dead server, signed out, refused
const tab = (path) => first.beside(path);

/** fillIn fills in what a picture needs; the patient of the one before stays. */
async function fillIn(p, file, year = "1950") {
  if (!await p.locator("#patient-bar:not([hidden])").count()) {
    await p.fill("#patient_number", "999 000 0018");
    await p.fill("#date_of_birth", "31");
    await p.fill("#dob_month", "1");
    await p.fill("#dob_year", year);
    await p.click("#yes");
  }
  await p.fill("#body_site", "left heel");
  await p.click("#consent");
  await p.setInputFiles("#file", file);
  await p.waitForSelector("#chosen li");
}
const entries = (p, state) => p.locator(`.ws-waiting__entry${state ? `[data-state=${state}]` : ""}`);
const waits = (p, state, n) => p.waitForFunction(([s, n]) => document.querySelectorAll(`.ws-waiting__entry[data-state=${s}]`).length === n, [state, n]);
const items = async (p) => (await p.evaluate(async () => (await fetch("/api/v1/items?limit=200")).json())).items.length;
/** kept looks at everything that the browser keeps. */
const kept = (p) => p.evaluate(async () => {
  const found = { caches: [], local: JSON.stringify({ ...localStorage }), entries: "", sealed: [] };
  for (const name of await caches.keys()) for (const r of await (await caches.open(name)).keys()) found.caches.push(new URL(r.url).pathname);
  const db = await new Promise((done) => { const r = indexedDB.open("wardseal"); r.onsuccess = () => done(r.result); });
  const all = (store) => new Promise((done) => { const r = db.transaction(store).objectStore(store).getAll(); r.onsuccess = () => done(r.result); });
  found.entries = JSON.stringify(await all("entries"));
  for (const blob of await all("sealed")) found.sealed.push(new TextDecoder("latin1").decode(await blob.arrayBuffer()));
  db.close();
  return found;
});
/** No signal: what is sent waits, the page opens again without a server, and all goes when the signal is back. */
async function noSignal() {
  const s = first, p = s.page;
  await s.enter("nurse", "/send");
  await p.evaluate(() => navigator.serviceWorker.ready);
  const before = await items(p);
  await context.setOffline(true);
  await fillIn(p, picture());
  await p.click("#go");
  await p.waitForSelector("#done-list:focus");
  assert.match(await p.locator("#done-list").innerText(), /1 picture kept on this phone, encrypted/);
  assert.ok(await p.isVisible("#patient-bar"), "the patient stays for the next picture");
  assert.equal(await p.locator("#chosen li").count(), 0);
  await p.reload();
  await p.waitForSelector("body[data-shell]");
  await waits(p, "queued", 1);
  await s.check("queue-no-signal");
  assert.equal(await p.locator("#team option").count(), 1, "the shell remembers the team");
  await fillIn(p, picture());
  await p.click("#go");
  await p.waitForSelector("#done-list:focus");
  await waits(p, "queued", 2);

  const k = await kept(p);
  assert.equal(k.sealed.length, 2);
  for (const s of k.sealed) assert.ok(s.startsWith("age-encryption.org/v1\n-> mlkem768x25519 "), "what waits is sealed");
  const all = JSON.stringify(k);
  for (const trace of ["9990000018", "999 000 0018", "1950-01-31", "left heel", "Test Patient", "JFIF", "IMG_0001"]) assert.ok(!all.includes(trace), trace + " is readable on the phone");
  for (const path of k.caches) assert.match(path, /^\/(assets\/.+|shell)$/, "only files of the build and the shell are kept");

  await context.setOffline(false);
  await waits(p, "filed", 2);
  assert.equal(await items(p), before + 2);
  assert.equal((await kept(p)).sealed.length, 0, "what is filed is wiped");
  await s.check("queue-filed");
  await p.close();
}

/** A server that hangs: the form comes without it, and a picture's page is waited for; without a signal there is a way back to it. */
async function hangs() {
  const s = await tab("/pictures"), p = s.page, { page: q } = await tab("/pictures");
  await p.evaluate(() => navigator.serviceWorker.ready);
  await control("/stop");
  const going = p.goto(base + "/pictures");
  await q.goto(base + "/send");
  await q.waitForSelector("body[data-shell]");
  await control("/go");
  await going;
  assert.equal(await p.locator("h1").innerText(), "Pictures", "the form is no answer to who asks for pictures");
  await context.setOffline(true);
  await p.goto(base + "/pictures");
  await p.waitForSelector("body[data-shell]");
  await s.check("queue-no-signal-elsewhere");
  await context.setOffline(false);
  await p.click("text=Try again to open what you asked for.");
  await p.waitForSelector("h1:text-is('Pictures')");
  await p.close();
  await q.close();
}

/** The page and the server die in the middle of an upload: it goes on from there and is filed once. */
async function killed() {
  const s = await tab("/send"), p = s.page;
  const before = await items(p);
  await fillIn(p, picture(8 << 20));
  const cdp = await context.newCDPSession(p);
  await cdp.send("Network.enable");
  await cdp.send("Network.emulateNetworkConditions", { offline: false, latency: 20, downloadThroughput: 1 << 20, uploadThroughput: 1 << 20 });
  await p.click("#go");
  await p.waitForFunction(() => { const e = document.querySelector(".ws-waiting__entry progress"); return e && e.value > 50 && e.value < 95; });
  await s.check("queue-sending");
  await control("/kill");
  await p.close();
  await control("/start");
  const resumed = await tab(), q = resumed.page, from = [];
  q.on("request", (r) => { if (r.method() === "PATCH") from.push(Number(r.headers()["upload-offset"])); });
  await q.goto(base + "/queue");
  await waits(q, "filed", 1);
  assert.ok(from.length >= 1 && from[0] >= 1 << 20, "it goes on from where it was, and not from " + from);
  assert.equal(await items(q), before + 2, "it is filed once; the demo files one of its own when it starts");
  await resumed.check("queue-resumed");
  await q.close();
}

/** What is refused later is told, and can be deleted; what is not sent yet can be deleted too. */
async function refused() {
  const s = await tab("/send"), p = s.page;
  const before = await items(p);
  await context.setOffline(true);
  await fillIn(p, picture(), "1951");
  await p.click("#go");
  await p.waitForSelector("#done-list:focus");
  await fillIn(p, picture());
  await p.click("#go");
  await waits(p, "queued", 2);
  await p.waitForSelector("#done-list:focus");
  const second = entries(p).nth(1);
  await second.locator("button").click();
  await second.locator("text=Delete for good?").click();
  await waits(p, "queued", 1);
  await context.setOffline(false);
  await waits(p, "refused", 1);
  assert.match(await entries(p).first().innerText(), /date of birth/i);
  await s.check("queue-refused");
  await Promise.all([p.waitForResponse(/\/outcome$/), p.click("text=Send again")]);
  await waits(p, "refused", 1);
  assert.equal(await items(p), before);
  await p.click("text=Put the patient right");
  await p.fill("#right-number", "999 000 0018");
  await p.fill("#right-born", "1950-01-31");
  await s.check("queue-put-right");
  await p.click("dialog button >> text=Send again");
  await waits(p, "filed", 1);
  assert.equal(await items(p), before + 1, "the picture that was refused is filed for the right patient");

  await context.setOffline(true);
  await fillIn(p, picture());
  await p.click("#go");
  await waits(p, "queued", 1);
  await context.setOffline(false);
  await waits(p, "refused", 1);
  await p.click("text=Delete");
  await p.click("text=Delete for good?");
  await p.waitForFunction(() => !document.querySelector("[data-state=refused]"));
  assert.equal((await kept(p)).sealed.length, 0);
  await p.close();
}

/** What somebody made is neither shown to nor sent by the next who signs in on the phone, and is kept for them. */
async function another() {
  const s = await tab("/send"), p = s.page;
  const before = await items(p);
  await context.setOffline(true);
  await fillIn(p, picture());
  await p.click("#go");
  await p.waitForSelector("#done-list:focus");
  await context.route("**/api/v1/uploads**", (r) => r.abort()); // the pages come, but no upload goes
  await context.setOffline(false);
  await p.goto(base + "/queue");
  await waits(p, "queued", 1);
  await p.click("text=Sign out");
  await p.waitForSelector("#username");
  await context.unroute("**/api/v1/uploads**");
  await s.enter("outsider");
  await p.goto(base + "/queue");
  await p.waitForSelector("text=Nothing waits");
  assert.equal(await entries(p).count(), 0);
  assert.equal((await kept(p)).sealed.length, 1, "it is kept");
  await p.click("text=Sign out");
  await p.waitForSelector("#username");
  await s.enter("nurse");
  await p.goto(base + "/queue");
  await waits(p, "filed", 1).catch(() => undefined); // or on the page before
  await p.waitForFunction(async (n) => (await (await fetch("/api/v1/items?limit=200")).json()).items.length === n, before + 1);
  await p.close();
}

/** The session ends while something waits: the queue says so, and goes on after signing in. */
async function signedOut() {
  const s = await tab("/send"), p = s.page;
  await context.setOffline(true);
  await fillIn(p, picture());
  await p.click("#go");
  await p.waitForSelector("#done-list:focus");
  await context.clearCookies();
  await context.setOffline(false);
  await p.waitForSelector("text=Sign in and send");
  await s.check("queue-signed-out");
  await p.click("text=Sign in and send");
  await p.fill("#again-username", "nurse");
  await p.fill("#again-password", password);
  await p.click("dialog button");
  await waits(p, "filed", 1);
  await p.close();
}

await walks([["no signal", noSignal], ["hangs", hangs], ["killed", killed], ["refused", refused], ["another person", another], ["signed out", signedOut]]);
