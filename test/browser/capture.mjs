// Walks the way of a picture from the wristband to the record in a real
// Chromium whose camera shows a wristband, counting taps, with axe at each step.
//
//   URL, PASSWORD   the running server and its people's password
//   PICTURE         a JPEG as a phone makes it
//   BAND            a film of a wristband, as Chromium's fake camera takes it
//   SHOTS           a folder for screenshots; none are taken without it
//   ONLY            walk only those whose name matches
import { readFileSync } from "node:fs";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { AxeBuilder } from "@axe-core/playwright";

const { URL: base, PASSWORD: password, PICTURE, BAND, SHOTS, ONLY, CHROMIUM } = process.env;
const phone = readFileSync(PICTURE);
let made = 0;
const picture = () => ({ name: "IMG_0001.JPG", mimeType: "image/jpeg", buffer: Buffer.concat([phone, Buffer.from("other tail " + ++made)]) });

const launch = (...more) => chromium.launch({
  timeout: 180_000, executablePath: CHROMIUM,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic", "--no-first-run", ...more],
});
const withCamera = await launch("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--use-file-for-fake-video-capture=" + BAND);

/** A nurse at the page to send; what goes wrong on it is an error here. */
class Nurse {
  static async open(width, options = {}) {
    const n = new Nurse();
    n.width = width;
    n.taps = 0;
    n.expected = [];
    n.context = await withCamera.newContext({ viewport: { width, height: width < 500 ? 844 : 900 }, hasTouch: width < 500, isMobile: width < 500, locale: "en-GB", timezoneId: "Europe/London", ...options });
    n.context.setDefaultTimeout(60_000);
    const p = n.page = await n.context.newPage();
    p.on("pageerror", (e) => { throw new Error("on " + p.url() + ": " + e); });
    p.on("console", (m) => {
      const waiting = /\/renditions\/(preview|poster|playable)$/.test(m.location().url) && m.text().includes("status of 404");
      if (m.type() === "error" && !waiting && !n.expected.some((s) => m.text().includes(s))) throw new Error("on " + p.url() + ": " + m.text());
    });
    await p.goto(base + "/send");
    await p.fill("#username", "nurse");
    await p.fill("#password", password);
    await p.click("main button");
    await p.waitForSelector("#scan:not([hidden])");
    return n;
  }
  async tap(selector) {
    this.taps++;
    await this.page.click(selector);
  }
  async type({ number = "999 000 0018", born = ["31", "1", "1950"] } = {}) {
    await this.page.fill("#patient_number", number);
    for (const [i, id] of ["#date_of_birth", "#dob_month", "#dob_year"].entries()) await this.page.fill(id, born[i]);
  }
  async check(name) {
    const p = this.page;
    if (SHOTS) await p.screenshot({ path: `${SHOTS}/capture-${name}-${this.width}.png`, fullPage: true });
    const { violations } = await new AxeBuilder({ page: p }).setLegacyMode(true)
      .options({ resultTypes: ["violations"] }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
    assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`), [], `axe on ${name} at ${this.width}`);
    const over = await p.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(over <= 0, `${name} at ${this.width} hangs over by ${over} pixels`);
  }
  text(selector) { return this.page.locator(selector).innerText(); }
  tiles() { return this.page.locator("#chosen > li"); }
}

/** From the wristband to the record: two photos, one of them taken twice. */
async function wholeWay(width) {
  const n = await Nurse.open(width), p = n.page, started = Date.now();
  await n.check("patient");
  assert.ok(await p.locator("#rest").isHidden(), "nothing is taken before the patient is known");
  await n.tap("#scan");
  await p.waitForSelector("#yes");
  assert.match(await n.text("#found"), /Test Patient[^]*31 January 1950[^]*999\s000\s0018/, "the wristband says who it is");
  await n.check("found");
  await n.tap("#yes");
  assert.match(await n.text("#patient-bar"), /Test Patient[^]*31 January 1950[^]*NHS 999\s000\s0018/);
  await n.check("pictures");

  await n.tap("#take");
  await p.waitForSelector("#shutter:enabled");
  await n.check("camera");
  assert.match(await n.text("dialog .ws-patient"), /Test Patient/, "the patient is in sight at the camera too");
  await n.tap("#shutter");
  await p.waitForSelector("text=1 picture taken");
  const first = await p.getAttribute("#chosen li", "data-key");
  await n.tap("#again");
  await n.tap("#shutter");
  await p.waitForFunction((k) => document.querySelector("#chosen li").dataset.key !== k, first);
  assert.match(await n.text(".ws-camera__strip"), /1 picture/, "a retake replaces");
  await n.tap("#shutter");
  await p.waitForSelector("text=2 pictures taken");
  await n.check("camera-taken");
  await n.tap("#done");
  assert.equal(await n.tiles().count(), 2);
  assert.match(await n.tiles().first().innerText(), /Full resolution/, "each says which way it was taken");
  const sizes = await p.evaluate(() => [...document.querySelectorAll("#chosen img")].map((i) => [i.naturalWidth, i.naturalHeight]));
  assert.deepEqual(sizes, [[1280, 720], [1280, 720]], "all of the sensor's pixels");

  await n.tap("[data-site='Left heel']");
  assert.equal(await p.inputValue("#body_site"), "Left heel");
  await n.tap("#consent"); // and who agreed is there to see: the patient
  assert.ok(await p.isChecked("#consent_given_by"));
  await n.check("ready");
  await p.evaluate(() => scrollTo(0, document.body.scrollHeight));
  const bar = await p.locator("#patient-bar").boundingBox();
  assert.ok(bar.y >= 0 && bar.y < 50, `the patient stays in sight (at ${bar.y})`);
  await n.tap("#go");
  await p.waitForSelector("#done-list");
  assert.match(await n.text("#done-list"), /2 pictures filed and encrypted[^]*Test Patient/);
  await n.check("sent");
  console.log(`   ${n.taps} taps from the wristband to two pictures in the record, one of them retaken, ${((Date.now() - started) / 1000).toFixed(1)} s with axe`);
  assert.ok(n.taps <= 12, `${n.taps} taps`);
  await p.click("#done-list a >> nth=1");
  await p.waitForSelector(".ws-viewer");
  assert.match(await n.text(".ws-facts"), /Given by the patient[^]*With this page’s camera[^]*Taken/);
  assert.match(await n.text(".ws-patient"), /Test Patient/);
  assert.match(await n.text("main"), /Left heel/);
  const stores = await p.evaluate(async () => ({ local: localStorage.length, session: sessionStorage.length, databases: (await indexedDB.databases()).length, caches: (await caches.keys()).length }));
  assert.deepEqual(stores, { local: 0, session: 0, databases: 0, caches: 0 }, "nothing is left in the browser");
  await n.context.close();
}

const walks = [["the whole way at 390", () => wholeWay(390)], ["the whole way at 1280", () => wholeWay(1280)]];

try {
  for (const [name, walk] of walks) {
    if (ONLY && !new RegExp(ONLY).test(name)) continue;
    const started = Date.now();
    await walk();
    console.log(`ok ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  }
} finally {
  await withCamera.close();
}
