// Walks through the pages in a real Chromium, as the people do who use them:
// on a phone and on a desktop, by script and without, with axe on every page.
//
//   PICTURE         a JPEG as a phone makes it
//   VIDEO           an MP4 of 320 pixels across, with sound
//   EARLIER, LATER  two pictures with a ruler; see ruler_test.go
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import assert from "node:assert/strict";
import { looks, looksAtFilm } from "./look.mjs";
import { Screen, base, password, walks } from "./screen.mjs";

const { PICTURE, VIDEO, EARLIER, LATER } = process.env;
const phone = readFileSync(PICTURE);
let made = 0;
// picture gives the phone's picture with another tail, so that it is another file.
const picture = (name = "IMG_0001.JPG") => ({ name, mimeType: "image/jpeg", buffer: Buffer.concat([phone, Buffer.from("tail " + ++made)]) });

/** The whole way, by script, at one width. */
async function wholeWay(width) {
  const nurse = await Screen.open(width), p = nurse.page;
  await nurse.go("/pictures");
  await nurse.check("sign-in");
  nurse.expected = [401, 422];
  await p.fill("#username", "nurse");
  await p.fill("#password", "not this");
  await p.click("main button");
  await p.waitForSelector("#problem");
  await nurse.check("sign-in-wrong");
  await nurse.signIn("nurse");
  assert.equal(new URL(p.url()).pathname, "/pictures", "signing in leads where one was going");
  await nurse.check("pictures");

  await nurse.go("/");
  await nurse.check("send");
  await p.click("text=Check patient");
  await p.waitForSelector("#problem");
  assert.equal(await p.locator("#problem a").count(), 2, "all that is missing is told at once");
  await p.click("#problem a >> nth=0");
  assert.equal(await p.evaluate(() => document.activeElement.id), "patient_number");
  await nurse.check("send-missing");

  await nurse.type({ number: "9434765919" }); // a right number that nobody registered
  await p.fill("#name", "Fictitious Patient " + width);
  await nurse.check("send-register");
  await nurse.type({ born: ["31", "1", "1951"] });
  await p.waitForSelector("#date_of_birth-error");
  await nurse.check("send-wrong");
  await nurse.type();
  await p.waitForSelector("#yes");
  assert.match(await p.locator(".ws-found").innerText(), /Test Patient/);
  await p.click("#yes");
  await p.click("#go");
  assert.equal(await p.locator("#problem a").count(), 3, "and so is what is missing of the picture");
  await nurse.check("send-missing-picture");
  await nurse.fillIn();
  await p.setInputFiles("#file", picture());
  await nurse.sees("#chosen img");
  await p.evaluate(() => document.getElementById("messages").replaceChildren());
  await nurse.check("send-ready");

  // The session ends while the form is being filled in: nothing is lost.
  const cookies = await nurse.context.cookies();
  await nurse.context.clearCookies();
  await p.click("#go");
  await p.waitForSelector("dialog");
  await nurse.check("send-signed-out");
  await p.fill("#again-username", "nurse");
  await p.fill("#again-password", password);
  await p.click("dialog button");
  await p.waitForURL("**/pictures/*?filed=new");
  assert.ok(cookies.length > 0);
  assert.match(await p.locator("#receipt ~ ul").first().innerText(), /GPS position/, "the receipt names what is gone");
  await nurse.sees(".ws-viewer__picture");
  await p.waitForFunction(() => !document.querySelector("[data-wanted]"), null); // the preview comes by itself
  await nurse.sees(".ws-viewer__picture");
  await nurse.check("item");
  await zooms(nurse);
  const item = new URL(p.url()).pathname;

  // The same file again is filed once.
  await p.click("text=Send another of this patient");
  assert.match(await p.locator(".ws-found").innerText(), /Test Patient/);
  await p.click("#yes");
  await nurse.fillIn({ site: "left heel, again" });
  made--;
  await p.setInputFiles("#file", picture());
  await p.click("#go");
  await p.waitForURL("**/pictures/*?filed=before");
  assert.equal(new URL(p.url()).pathname, item);

  // A link for the consultant.
  await p.selectOption("#audience", { label: "Colin Sample (consultant)" });
  await p.click("text=Make a link");
  await p.waitForSelector("#purpose-error");
  await nurse.check("link-wrong");
  assert.match(await p.locator("#audience option:checked").innerText(), /Colin/, "the choice is kept");
  await p.fill("#purpose", "advice on dressing");
  await p.click("text=Make a link");
  await p.waitForSelector("#made");
  await nurse.check("link-made");
  const link = await p.inputValue("#address");
  await nurse.go("/links");
  await nurse.check("links");

  await opens(width, link);
  await refused(width, link);

  // Revoked, it opens for nobody.
  await nurse.go(item);
  await p.selectOption("#audience", { label: "Colin Sample (consultant)" });
  await p.fill("#purpose", "second opinion");
  await p.click("text=Make a link");
  const second = await p.inputValue("#address");
  await nurse.go("/links");
  await p.click("text=Revoke all my links to them");
  await p.waitForSelector(".ws-notice");
  await nurse.check("links-none");
  await ended(width, second, /was revoked/);

  await nurse.go("/pictures");
  await p.click("text=Find a patient or filter");
  await p.fill("#patient_number", "9990000018");
  await p.fill("#date_of_birth", "31");
  await p.fill("#dob_month", "1");
  await p.fill("#dob_year", "1950");
  await p.click("button:text-is('Find')");
  await p.waitForURL("**/pictures?patient=*");
  assert.ok(!p.url().includes("9990000018"), "no patient number in an address");
  assert.match(await p.locator("main").innerText(), /Pictures of Test Patient/);
  await nurse.check("pictures-of-one");
  await nurse.go("/account");
  await nurse.check("account");
  nurse.expected = [404];
  await nurse.go("/pictures/0190a5e6-0000-7000-8000-000000000000");
  await nurse.check("nothing");
  await nurse.signOut();
  assert.match(await p.locator(".ws-notice").innerText(), /signed out/);
  await nurse.close();
}

/** zooms: whole, dot for dot, by key. */
async function zooms(s) {
  const p = s.page;
  await p.focus(".ws-viewer__canvas");
  const scale = (what) => p.waitForFunction((s) => { const { scale, shows } = document.querySelector(".ws-viewer__window").dataset; return s ? scale === s : Number(scale) > 2 && shows === "original"; }, what);
  await scale(); // whole: it is a very small picture
  await p.keyboard.press("1");
  await scale("1.0000");
  await p.keyboard.press("0");
  await scale();
}

async function opens(width, link) {
  const consultant = await Screen.open(width), p = consultant.page;
  consultant.expected = [401, 410];
  await p.goto(link);
  await p.waitForSelector("#link-sign-in:not([hidden])");
  assert.ok(!p.url().includes("#"), "the secret leaves the address");
  await consultant.check("link-sign-in");
  await p.fill("#username", "consultant");
  await p.fill("#password", password);
  await p.click("#link-sign-in button");
  await p.waitForSelector("#link-open:not([hidden])");
  assert.match(await p.locator("#link-open").innerText(), /Nadia Example[^]*advice on dressing/);
  await consultant.check("link-open");
  await p.click("#link-go");
  await p.waitForURL("**/opened/*");
  await consultant.sees(".ws-viewer__picture");
  await consultant.check("opened");
  await p.reload();
  await consultant.sees(".ws-viewer__picture");
  await p.goto("about:blank");
  await p.goto(link);
  await p.click("#link-go");
  await p.waitForSelector("#problem");
  assert.match(await p.locator("#problem").innerText(), /used up/);
  await consultant.check("link-used");
  await consultant.go("/pictures");
  assert.match(await p.locator("main").innerText(), /left heel/, "what was shared is in the list");
  await consultant.check("pictures-consultant");
  await p.click(".ws-card__link >> nth=0");
  assert.match(await p.locator("main").innerText(), /shared with you by a link/);
  await consultant.check("item-shared");
  await consultant.close();
}

/** refused: holding a link is not enough. */
async function refused(width, link) {
  for (const [who, why] of [["outsider", /made for somebody else/], ["auditor", /Your role does not allow this/]]) {
    const s = await Screen.open(width);
    s.expected = [401, 403];
    await s.page.goto(link);
    await s.page.fill("#username", who);
    await s.page.fill("#password", password);
    await s.page.click("#link-sign-in button");
    await s.page.waitForSelector("#problem");
    assert.match(await s.page.locator("#problem").innerText(), why);
    if (who === "outsider") await s.check("link-refused");
    await s.close();
  }
}

async function ended(width, link, why) {
  const s = await Screen.open(width);
  s.expected = [401, 410];
  await s.page.goto(link);
  await s.page.fill("#username", "consultant");
  await s.page.fill("#password", password);
  await s.page.click("#link-sign-in button");
  await s.page.waitForSelector("#problem, #link-open:not([hidden])");
  if (!await s.page.locator("#problem").count()) await s.page.click("#link-go"); // who was meant learns it on opening
  await s.page.waitForSelector("#problem");
  assert.match(await s.page.locator("#problem").innerText(), why);
  await s.close();
}

/** An auditor's questions, and the list that a patient is given. */
async function questions(auditor) {
  const p = auditor.page;
  await auditor.go("/audit");
  await p.selectOption("#seen-person", { label: await p.locator("#seen-person option", { hasText: "consultant" }).first().innerText() });
  await p.click("form[action='/audit/seen'] button");
  assert.match(await auditor.heading(), /^What .* saw$/);
  assert.match(await p.locator(".ws-told").first().innerText(), /looked at .* of patient/);
  await auditor.check("audit-seen");
  await auditor.go("/audit");
  await p.click("text=Find the patient");
  await auditor.check("audit-patient");
  await p.fill("#patient_number", "999 000 0018");
  await p.fill("#date_of_birth", "30");
  await p.fill("#dob_month", "1");
  await p.fill("#dob_year", "1950");
  auditor.expected = [422];
  await p.click("main form button");
  await p.waitForSelector("#date_of_birth-error");
  await auditor.check("audit-patient-wrong");
  await p.fill("#date_of_birth", "31");
  await p.click("main form button");
  await p.waitForSelector(".ws-events");
  assert.equal(await auditor.heading(), "Who looked at your pictures");
  assert.match(await p.locator(".ws-events").innerText(), /took or filed a photo/);
  await auditor.check("audit-looks");
  await p.click("text=All events about this patient");
  await p.waitForSelector(".ws-told");
}

/** The other roles have their pages, and no others. */
async function otherRoles(width) {
  const auditor = await Screen.open(width);
  await auditor.go("/");
  await auditor.signIn("auditor");
  assert.equal(await auditor.heading(), "Audit");
  await auditor.check("audit");
  await auditor.page.click("summary");
  await auditor.page.selectOption("#type", "item.shown");
  await auditor.page.click("button:text-is('Search')");
  const rows = await auditor.page.locator(".ws-events tbody tr").allInnerTexts();
  assert.ok(rows.length > 0 && rows.every((r) => r.includes("looked at")), "the filter narrows");
  await questions(auditor);
  auditor.expected = [403];
  await auditor.go("/pictures");
  await auditor.check("refused");
  await auditor.close();

  const admin = await Screen.open(width), p = admin.page;
  await admin.go("/");
  await admin.signIn("admin");
  await admin.check("staff");
  admin.expected = [409];
  await p.fill("#title", "Tissue viability");
  await p.click("text=Add team");
  await p.waitForSelector("#title-error");
  await admin.check("staff-wrong");
  await p.fill("#title", "Burns " + width);
  await p.click("text=Add team");
  await p.waitForSelector(".ws-notice");
  assert.match(await p.locator("main").innerText(), new RegExp("Burns " + width));
  await p.click("text=How people sign in");
  await p.waitForSelector("h2:text-is('Elsewhere')");
  assert.match(await p.locator("main").innerText(), /At least 12 characters[^]*--lock-after/);
  await admin.check("settings");
  await newcomers(admin, width);
  await admin.close();

  const records = await Screen.open(width);
  await records.go("/");
  await records.signIn("records");
  assert.equal(await records.heading(), "Due for review");
  await records.go("/pictures");
  await records.check("pictures-records");
  assert.equal(await records.page.locator(".ws-card img").count(), 0, "records officers see facts, not pictures");
  await records.page.click(".ws-card__link >> nth=0");
  assert.match(await records.page.locator("main").innerText(), /sees the facts, not the picture/);
  await records.check("item-records");
  await records.close();
}

/** Somebody new chooses a password at the address that the administrator hands over, or for the one that they were given. */
async function newcomers(admin, width) {
  const a = admin.page, own = "yellow bicycle lantern", given = "purple kettle mountain";
  const adds = async (name, password) => {
    await admin.go("/staff");
    await a.fill("#name", "Example Newcomer");
    await a.fill("#username", name + width);
    await a.selectOption("#role", "clinician");
    await a.fill("#password", password);
    await a.click("text=Add person");
  };
  await adds("invited", "");
  const address = await a.inputValue("#address");
  await admin.check("ticket");

  const s = await Screen.open(width), p = s.page;
  s.expected = [401, 422];
  await s.go("/password");
  await p.waitForSelector("text=This address is not complete");
  assert.ok(!await p.locator("#ticket").isVisible(), "without a secret nothing is asked");
  await p.goto("about:blank");
  await p.goto(address);
  await p.waitForSelector("#ticket:not([hidden])");
  assert.ok(!p.url().includes("#"), "the secret leaves the address");
  await s.check("choose-password");
  await p.fill("#password", "invited" + width + "!!");
  await p.click("main button");
  await p.waitForSelector("#password-error");
  await s.check("choose-password-wrong");
  await p.fill("#password", own);
  await p.click("main button");
  await p.waitForSelector("text=Your password is changed");
  const signIn = async (name, password) => {
    await p.fill("#username", name + width);
    await p.fill("#password", password);
    await p.click("main button");
    await p.waitForSelector("text=Sign out");
  };
  await signIn("invited", own);
  assert.equal(await s.heading(), "Before you start");
  await p.click("text=Sign out");

  await adds("given", given);
  await a.waitForSelector(".ws-notice");
  await s.go("/sign-in");
  await signIn("given", given);
  assert.equal(await s.heading(), "Choose your password");
  await s.check("first-password");
  await p.fill("#present_password", given);
  await p.fill("#password", given);
  await p.click("main button:text-is('Choose this password')");
  await p.waitForSelector("#password-error");
  await s.check("first-password-wrong");
  await p.fill("#present_password", given);
  await p.fill("#password", own);
  await p.click("main button:text-is('Choose this password')");
  await p.waitForSelector("text=Your password is changed");
  await signIn("given", own);
  assert.equal(await s.heading(), "Before you start");
  await s.close();
}

/** A video: its sound is offered to be left out, and it plays. */
async function video(width) {
  const s = await Screen.open(width, { hasTouch: true }), p = s.page;
  await s.go("/send");
  await s.signIn("nurse");
  await s.type();
  await p.click("#yes");
  await s.fillIn({ site: "gait" });
  assert.ok(await p.locator("#sound-group").isHidden(), "a photo has no sound");
  const free = Buffer.from([0, 0, 0, 9, ...Buffer.from("free"), width % 256]); // an empty box, so that it is another file
  await p.setInputFiles("#file", { name: "film.mp4", mimeType: "video/mp4", buffer: Buffer.concat([readFileSync(VIDEO), free]) });
  await p.waitForSelector("#chosen video");
  await p.click("label[for=sound]");
  await s.check("send-video");
  await p.click("#go");
  await p.waitForURL("**/pictures/*?filed=new");
  await p.waitForFunction(() => { const v = document.querySelector("video"); return v && v.readyState >= 1 && v.videoWidth === 320; });
  await s.check("item-video");
  await p.evaluate(() => { document.querySelector("video").muted = true; });
  await p.click("[data-play]");
  await p.waitForFunction(() => document.querySelector("video").currentTime > 0.1);
  await p.click("[data-play]");
  await steps(s);
  await looksAtFilm(s, EARLIER);
  await s.close();
}

/** steps: ten frames a second go by one by one, there and back. */
async function steps(s) {
  const p = s.page;
  const time = () => p.locator(".ws-viewer__window").getAttribute("data-time").then(Number);
  await p.waitForFunction(() => document.querySelector("video").paused);
  await p.evaluate(() => { document.querySelector("video").currentTime = .45; });
  await p.waitForFunction(() => Math.abs(document.querySelector(".ws-viewer__window").dataset.time - .4) < .01);
  for (const [way, want] of [["1", .5], ["1", .6], ["-1", .5], ["-1", .4]]) {
    await p.click(`[data-step="${way}"]`);
    await p.waitForFunction((t) => Math.abs(document.querySelector(".ws-viewer__window").dataset.time - t) < .01, want).catch(async () => assert.fail(`one frame ${way} leads to ${await time()}, not ${want}`));
  }
  await p.selectOption("select.ws-tool", ".25");
  assert.equal(await p.evaluate(() => document.querySelector("video").playbackRate), .25);
  const covers = await p.evaluate(() => { const [w, v] = [".ws-watermark", "video"].map((q) => document.querySelector(q).getBoundingClientRect()); return w.width >= v.width && w.height >= v.height && w.height > 100; });
  assert.ok(covers, "the watermark lies over the video");
  assert.equal(await p.evaluate(() => document.querySelector("video").controls), false, "a full screen of the browser's own would have no watermark");
  // A note of this moment.
  await p.click("button:text-is('Mark')");
  await p.click("button:text-is('Note')");
  await p.fill("#mark-text", "heel strikes first");
  await p.click("button:text-is('Add')");
  await p.click("[data-save]");
  await p.waitForSelector(".ws-marks__set");
  assert.match(await p.locator(".ws-marks__words").innerText(), /heel strikes first \(at 0:00\.4/);
  await s.check("item-video-marked");
}

/** Without script: sign in, send, list, share, revoke, sign out. */
async function withoutScript() {
  const s = await Screen.open(390, { javaScriptEnabled: false }), p = s.page;
  s.mute = true; // axe is a script
  s.expected = [422];
  await s.go("/send");
  await s.signIn("nurse");
  await s.type();
  await s.fillIn({ site: "right shin" });
  await p.click("text=Check patient");
  assert.match(await p.locator(".ws-found").innerText(), /Test Patient/);
  assert.equal(await p.inputValue("#body_site"), "right shin");
  await p.click("text=Open a new case");
  await p.fill("#title", "right shin ulcer");
  await p.click("text=Open case");
  assert.equal(await p.locator("#case option:checked").innerText(), "right shin ulcer");
  await p.click("#go");
  await p.waitForSelector("#file-error");
  assert.equal(await p.inputValue("#note"), "Grade 2, day 3. Advice on dressing?", "a plain form keeps what was typed");
  assert.equal(await p.locator("#case option:checked").innerText(), "right shin ulcer");
  await s.check("plain-send-wrong");
  await p.fill("#captured_at", "2026-03-01T14:30");
  await p.setInputFiles("#file", picture());
  await p.click("#go");
  await p.waitForURL("**/pictures/*?filed=new");
  assert.match(await p.locator("main").innerText(), /GPS position[^]*/);
  assert.match(await p.locator(".ws-facts").innerText(), /1 March 2026, 2:30pm/);
  await s.check("plain-item");
  await p.selectOption("#audience", "role:consultant");
  await p.fill("#purpose", "advice");
  await p.click("text=Make a link");
  assert.match(await p.inputValue("#address"), /\/l#/);
  await s.go("/pictures?mine=yes");
  assert.match(await p.locator(".ws-cards").innerText(), /right shin/);
  await s.go("/links");
  await p.click("button:has-text('Revoke') >> nth=0");
  assert.match(await p.locator(".ws-notice").innerText(), /revoked/);
  await s.go("/l#anything");
  assert.match(await p.locator("main").innerText(), /needs JavaScript/);
  await s.go("/links");
  await s.signOut();
  await s.go("/pictures");
  assert.equal(await s.heading(), "Sign in");
  await s.close();
}

/** A form that another site sends is refused; one that follows a link from there is not asked to sign in again. */
async function otherSites() {
  const s = await Screen.open(1280), p = s.page;
  await s.go("/");
  await s.signIn("nurse");
  s.expected = [403];
  const elsewhere = base.replace("localhost", "127.0.0.1");
  await p.route(elsewhere + "/evil", (r) => r.fulfill({ contentType: "text/html", body: `<form id=f method=post action="${base}/sign-out"></form><a href="${base}/pictures">link</a>` }));
  await p.goto(elsewhere + "/evil");
  await p.click("a");
  await p.waitForSelector("h1:text-is('Pictures')");
  await p.goto(elsewhere + "/evil");
  await p.evaluate(() => document.getElementById("f").submit());
  await p.waitForSelector("text=came from another site");
  await s.go("/pictures");
  assert.equal(await s.heading(), "Pictures", "still signed in");
  await s.close();
}

/** What leads to a page that comes piece by piece, or waits for its first piece, comes back when all of it is there. */
async function slowly() {
  const server = createServer((request, response) => {
    const at = Number(request.url.slice(1)) || 0;
    response.setHeader("Content-Type", "text/html");
    response.write(`<!doctype html><title>Slow</title><a id="at-${at}" href="/${at + 1}">next</a>`);
    setTimeout(() => response.end(`<p>all of ${at}</p>`), at ? 500 : 0);
  }).listen(0, "127.0.0.1");
  const s = await Screen.open(1280), p = s.page, ways = [
    () => p.click("a"), () => p.locator("a").click(), () => p.getByText("next").first().click(), () => p.press("a", "Enter"), () => p.locator("a").press("Enter"),
    async () => { await p.focus("a"); await p.keyboard.press("Enter"); await p.waitForSelector("#at-6"); },
    async () => { await p.focus("a"); await p.keyboard.press("Enter"); await p.waitForFunction(() => document.querySelector("#at-7")); },
  ];
  await p.goto(`http://127.0.0.1:${server.address().port}/0`);
  for (const [n, way] of ways.entries()) {
    await way();
    assert.equal(await p.locator("p").allInnerTexts().then(String), `all of ${n + 1}`);
  }
  await s.close();
  server.close();
}

/** Everybody reads the guidance once, and is not asked again. */
async function guidance() {
  for (const name of ["nurse", "consultant", "outsider", "records", "auditor", "admin"]) {
    const s = await Screen.open(name === "nurse" ? 390 : 1280);
    await s.go("/account");
    await s.signIn(name);
    await s.go("/");
    if (new URL(s.page.url()).pathname === "/guidance") {
      assert.equal(await s.heading(), "Before you start");
      if (name === "nurse" || name === "records") await s.check("guidance");
      await s.page.click("main button");
      await s.page.waitForLoadState();
    }
    assert.notEqual(await s.heading(), "Before you start");
    await s.go("/report");
    if (name === "nurse" || name === "records") await s.check("report");
    await s.close();
  }
}

await guidance();
await walks([
  ["the whole way at 390", () => wholeWay(390)], ["the whole way at 1280", () => wholeWay(1280)],
  ["other roles at 390", () => otherRoles(390)], ["other roles at 1280", () => otherRoles(1280)],
  ["looking closely at 390", () => looks(390, { EARLIER, LATER })], ["looking closely at 1280", () => looks(1280, { EARLIER, LATER })],
  ["a video at 390", () => video(390)], ["a video at 1280", () => video(1280)], ["without script", withoutScript], ["other sites", otherSites], ["pages that come slowly", slowly],
]);
