// Walks the way of a picture from the wristband to the record in a real
// Chromium whose camera shows a wristband, counting taps, with axe at each step.
//
//   PICTURE  a JPEG as a phone makes it
//   BAND     a film of a wristband
import { readFileSync } from "node:fs";
import assert from "node:assert/strict";
import { Screen, base, password, walks } from "./screen.mjs";

const { PICTURE } = process.env;
const phone = readFileSync(PICTURE);
let made = 0;
const picture = () => ({ name: "IMG_0001.JPG", mimeType: "image/jpeg", buffer: Buffer.concat([phone, Buffer.from("other tail " + ++made)]) });

Screen.everyTime = true;

/** A nurse, whose taps are counted, at a screen with a camera. */
class Nurse extends Screen {
  taps = 0;
  static async open(width, options = {}) {
    const n = await super.open(width, { hasTouch: width < 500, isMobile: width < 500, ...options });
    // The fake camera gives the same bytes every time, which would be filed once.
    await n.page.addInitScript(() => {
      const take = ImageCapture.prototype.takePhoto;
      ImageCapture.prototype.takePhoto = async function (settings) {
        const photo = await take.call(this, settings);
        return new Blob([photo, crypto.randomUUID()], { type: photo.type });
      };
    });
    return n;
  }
  /** sends opens the page to send at. */
  static async sends(width) {
    const n = await this.enter("nurse", width, "/send");
    await n.page.waitForSelector("#scan:not([hidden])");
    return n;
  }
  async tap(selector) {
    this.taps++;
    await this.page.click(selector);
  }
  check(name) { return super.check("capture-" + name); }
  tiles() { return this.page.locator("#chosen > li"); }
}

/** From the wristband to the record: two photos, one of them taken twice. */
async function wholeWay(width) {
  const n = await Nurse.sends(width), p = n.page, started = Date.now();
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

  const x = async (site) => (await p.locator(`[data-site='${site}']`).boundingBox()).x;
  assert.ok(await x("Left hand") > await x("Right hand"), "seen from the front, the patient's left is on the right");
  assert.ok(await x("Left heel") < await x("Right heel"), "and from behind on the left");
  const small = await p.evaluate(() => [...document.querySelectorAll(".ws-body__part")].filter((e) => { const b = e.getBoundingClientRect(); return b.width < 24 || b.height < 24; }).map((e) => e.dataset.site));
  assert.deepEqual(small, [], "every part can be hit");
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
  assert.doesNotMatch(await n.text("#done-list"), /before/);
  await n.check("sent");
  console.log(`   ${n.taps} taps from the wristband to two pictures in the record, one of them retaken, ${((Date.now() - started) / 1000).toFixed(1)} s with axe`);
  assert.ok(n.taps <= 12, `${n.taps} taps`);
  await p.click("#done-list a >> nth=1");
  await p.waitForSelector(".ws-viewer");
  assert.match(await n.text(".ws-facts"), /Given by the patient[^]*With this page’s camera[^]*Taken/);
  assert.match(await n.text(".ws-patient"), /Test Patient/);
  assert.match(await n.text("main"), /Left heel/);
  const left = await p.evaluate(async () => {
    const db = await new Promise((done) => { const r = indexedDB.open("wardseal"); r.onsuccess = () => done(r.result); }), all = [];
    for (const store of db.objectStoreNames) all.push(await new Promise((done) => { const r = db.transaction(store).objectStore(store).getAll(); r.onsuccess = () => done(r.result); }));
    db.close();
    const cached = [];
    for (const name of await caches.keys()) for (const r of await (await caches.open(name)).keys()) cached.push(new URL(r.url).pathname);
    return { entries: all.flat().length, cached: cached.filter((path) => !/^\/(assets\/.+|shell)$/.test(path)), text: JSON.stringify([{ ...localStorage }, { ...sessionStorage }]) };
  });
  assert.equal(left.entries, 0, "what is filed is wiped");
  assert.deepEqual(left.cached, []);
  for (const trace of ["9990000018", "999 000 0018", "1950", "Left heel", "Test Patient"]) assert.ok(!left.text.includes(trace), trace + " is left in the browser");
  await n.close();
}

/** The number says while it is typed whether it can be right, and whose it is. */
async function typing() {
  const n = await Nurse.sends(390), p = n.page;
  const says = (id = "#number-says") => n.text(id);
  n.expected = [422];
  await p.fill("#patient_number", "943476591");
  assert.equal(await says(), "", "nothing is wrong yet");
  await p.fill("#patient_number", "943 476 5918");
  assert.match(await says(), /check digit/);
  await p.fill("#patient_number", "943 476 5919");
  assert.match(await says(), /NHS number/);
  await p.fill("#patient_number", "021116 5794");
  assert.match(await says(), /CHI number: born 2.11.…16, male/);
  assert.ok(await p.isChecked("#patient_number_kind-chi"), "the kind is known by itself");
  await p.fill("#date_of_birth", "3");
  assert.match(await says("#born-says"), /does not match/);
  await p.fill("#date_of_birth", "2");
  await p.fill("#dob_month", "11");
  assert.equal(await says("#born-says"), "");
  await p.selectOption("#sex", "female");
  assert.match(await says("#sex-says"), /does not match the sex/);
  await p.fill("#dob_year", "1916");
  await n.check("typing");
  await p.click("text=Check patient");
  await p.waitForSelector("#sex-error");
  assert.equal(await p.locator("#found > *").count(), 0, "nobody is found by what does not match");
  await p.selectOption("#sex", "");
  await p.fill("#name", "Fictitious Person");
  await p.click("text=Register patient");
  await p.waitForSelector("#yes");
  assert.match(await n.text("#found"), /Fictitious Person[^]*2 November 1916[^]*CHI/);
  await p.fill("#dob_year", "191");
  assert.equal(await p.locator("#yes").count(), 0, "what was found belongs to what was typed");
  await n.close();
}

/** Changing the patient asks what becomes of the pictures, and does that. */
async function otherPatient(width) {
  const n = await Nurse.sends(width), p = n.page;
  n.expected = [422];
  const other = { number: "999 000 0026", born: ["2", "2", "1962"] };
  await n.type(other);
  await p.waitForSelector("#name, #yes"); // the other width may have registered them
  if (await p.locator("#name").count()) {
    await p.fill("#name", "Other Patient");
    await p.click("text=Register patient");
    await p.waitForSelector("#yes");
  }
  await n.type();
  await p.waitForSelector("#found:has-text('Test Patient') #yes");
  await p.click("#yes");
  await p.setInputFiles("#file", [picture(), picture()]);
  await p.waitForSelector("#chosen li >> nth=1");
  await p.fill("#body_site", "Sacrum");
  await p.click("#consent");

  // Stay: nothing happens.
  await p.click("#patient-change");
  await n.check("change");
  await p.click("text=Stay with Test Patient");
  assert.equal(await n.tiles().count(), 2);
  assert.match(await n.text("#patient-bar"), /Test Patient/);

  // Keep: they wait with all that was entered, and nothing of it is with the next.
  await p.click("#patient-change");
  await p.click("text=Keep them for Test Patient");
  await p.waitForSelector("#waiting:has-text('2 pictures of Test Patient')");
  await n.type(other);
  await p.click("#yes");
  assert.equal(await n.tiles().count(), 0, "no picture of the first patient is the second's");
  assert.equal(await p.inputValue("#body_site"), "");
  assert.ok(!await p.isChecked("#consent"), "nor their consent");
  await p.setInputFiles("#file", picture());
  await n.tiles().first().waitFor();
  await n.check("waiting");

  // Back: both are where they were.
  await p.click("text=Go back to Test Patient");
  await p.click("#yes");
  assert.match(await n.text("#patient-bar"), /Test Patient/);
  assert.equal(await n.tiles().count(), 2);
  assert.equal(await p.inputValue("#body_site"), "Sacrum");
  assert.ok(await p.isChecked("#consent"));
  assert.match(await n.text("#waiting"), /1 picture of Other Patient/);

  // Move: said on each picture; they go to the other's record.
  await p.click("#patient-change");
  await p.click("text=Move them to the patient I choose next");
  await p.waitForSelector("#patient:not([hidden])");
  await n.type(other);
  await p.click("#yes");
  assert.equal(await n.tiles().count(), 3, "theirs that waited, and what was moved");
  assert.equal(await p.locator("text=Moved from Test Patient").count(), 2);
  assert.equal(await p.inputValue("#body_site"), "Sacrum", "what was entered moved along");
  await p.click("button:has-text('Remove') >> nth=0");
  assert.equal(await n.tiles().count(), 2);
  await p.click("#go");
  await p.waitForSelector("#done-list");
  await p.click("#done-list a >> nth=0");
  assert.match(await n.text(".ws-facts"), /Other Patient[^]*Chosen from the device/);

  // Discard.
  await p.click("text=Send another of this patient");
  await p.click("#yes");
  await p.setInputFiles("#file", picture());
  await n.tiles().first().waitFor();
  await p.click("#patient-change");
  await p.click("text=Discard it");
  await p.waitForSelector("#patient:not([hidden])");
  await n.type();
  await p.click("#yes");
  assert.equal(await n.tiles().count(), 0);
  assert.equal(await p.locator("#waiting > *").count(), 0);
  await n.close();
}

/** A lost signal, an ended session and a refusal: what is not sent stays. */
async function trouble() {
  const n = await Nurse.sends(390), p = n.page;
  n.expected = ["ERR_INTERNET_DISCONNECTED", 422, 401];
  await n.type();
  await p.click("#yes");
  await p.click("#go");
  await p.waitForSelector("#problem");
  assert.equal(await p.locator("#problem li").count(), 3, "all that is missing is told at once: picture, place, consent");
  await n.check("missing");
  await p.click("#problem a >> nth=0");
  assert.equal(await p.evaluate(() => document.activeElement.id), "take");
  await p.click("text=Choose a file, or say when it was taken");
  const blurred = await p.evaluate(async () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 900, height: 600 }), pen = canvas.getContext("2d");
    const g = pen.createLinearGradient(0, 0, 900, 600);
    g.addColorStop(0, "#a05040"); g.addColorStop(1, "#e0c0a0");
    pen.fillStyle = g; pen.fillRect(0, 0, 900, 600);
    const b = await new Promise((d) => canvas.toBlob(d, "image/jpeg"));
    return [...new Uint8Array(await b.arrayBuffer())];
  });
  await p.setInputFiles("#file", [picture(), { name: "soft.jpg", mimeType: "image/jpeg", buffer: Buffer.from(blurred) }]);
  await p.waitForSelector("#chosen li >> nth=1");
  await p.waitForSelector("#chosen li:nth-child(2):has-text('Looks blurred')"); // said at once
  assert.doesNotMatch(await n.tiles().nth(0).innerText(), /Looks blurred/);
  assert.match(await n.text("#delete-original"), /Delete the original/);
  await n.check("chosen-missing"); // what was told is still there
  await p.fill("#body_site", "Left shin");
  await p.click("#consent-b");
  await p.click("#consent_given_by-best");
  await p.click("#go");
  await p.waitForSelector("#consent_detail-error");
  await p.fill("#consent_detail", "Daughter and ward team");

  await n.context.clearCookies();
  await p.click("#go");
  await p.waitForSelector("dialog");
  await p.fill("#again-username", "nurse");
  await p.fill("#again-password", password);
  await p.click("dialog button");
  await p.waitForSelector("#done-list");
  assert.match(await n.text("#done-list"), /2 pictures filed/);
  assert.match(await n.text("#done-list"), /Ask somebody about them/);
  const first = await p.getAttribute("#done-list a >> nth=0", "href");

  await n.context.setOffline(true);
  await p.setInputFiles("#file", picture());
  await p.waitForSelector("#chosen li");
  await p.fill("#body_site", "Left shin");
  await p.click("#consent");
  await p.click("#go");
  await p.waitForSelector("#done-list:has-text('kept on this phone')");
  assert.equal(await n.tiles().count(), 0);
  await n.check("offline");
  await n.context.setOffline(false);
  await p.waitForSelector(".ws-waiting__entry[data-state=filed]");

  await p.goto(base + first);
  await p.waitForSelector(".ws-facts").catch(async () => assert.fail(p.url() + " says " + await p.locator("body").innerText()));
  assert.match(await n.text(".ws-facts"), /teaching[^]*best interests: Daughter and ward team/);
  await n.close();
}

/** A video by the page's camera is recorded without sound, and filed. */
async function film() {
  const n = await Nurse.sends(390), p = n.page;
  await n.type();
  await p.click("#yes");
  await p.click("#take");
  await p.waitForSelector("#record:enabled");
  await p.click("#record");
  await p.waitForSelector("text=/Recording without sound: 0:0[1-9]/");
  await n.check("recording");
  await p.click("#record");
  await p.waitForSelector("text=Recorded.");
  await p.click("#done");
  assert.ok(await p.locator("#sound-group").isHidden(), "there is no sound to remove");
  await p.click("[data-site='Right knee']");
  await p.click("#consent");
  await p.click("#go");
  await p.waitForURL("**/pictures/*?filed=new");
  const filed = await p.evaluate(async () => (await fetch("/api/v1/items/" + location.pathname.split("/")[2])).json());
  assert.match(filed.media_type, /^video\//);
  assert.equal(filed.captured_with, "camera");
  await n.close();
}

/** The whole of a sending by keyboard alone. */
async function keyboard() {
  const n = await Nurse.sends(1280), p = n.page, k = p.keyboard;
  await p.focus("#patient_number");
  await k.type("9990000018");
  for (const part of ["31", "1", "1950"]) { await k.press("Tab"); await k.type(part); }
  await p.waitForFunction(() => document.activeElement?.classList.contains("ws-found"));
  await k.press("Enter");
  assert.ok(await p.locator("#rest").isHidden(), "Enter after the year confirms nobody");
  await k.press("Tab");
  await k.press("Enter");
  await p.waitForFunction(() => document.activeElement?.id === "take");
  await k.press("Enter");
  await p.waitForFunction(() => document.activeElement?.id === "shutter" && !document.activeElement.disabled);
  await k.press("Space");
  await p.waitForSelector("text=1 picture taken");
  await p.waitForFunction(() => document.activeElement?.id === "shutter");
  await k.press("Escape");
  await p.waitForFunction(() => document.activeElement?.id === "body_site");
  await k.press("Tab"); // into the map: one stop
  await k.press("ArrowRight");
  await k.press("ArrowRight");
  assert.equal(await p.inputValue("#body_site"), "Right shoulder");
  await p.focus("#consent");
  await k.press("Space");
  await p.focus("#go");
  await k.press("Enter");
  await p.waitForURL("**/pictures/*?filed=new");
  await n.close();
}

/** What a device cannot do is done otherwise, and the picture says so. */
async function fallbacks() {
  const at = async (script) => {
    const n = await Nurse.sends(390);
    await n.page.addInitScript(script);
    await n.page.goto(base + "/send");
    await n.type();
    await n.page.click("#yes");
    return n;
  };
  const shoots = async (n) => {
    await n.page.click("#take");
    await n.page.waitForSelector("#shutter:enabled");
    await n.page.click("#shutter");
    await n.page.waitForSelector("text=1 picture taken");
  };
  // A camera whose photos fail gives a frame.
  let n = await at(() => { ImageCapture.prototype.takePhoto = () => Promise.reject(new Error("no")); });
  await shoots(n);
  await n.page.click("#done");
  assert.match(await n.tiles().first().innerText(), /Video frame: fewer pixels/);
  await n.close();

  // Light and focus, where the camera has them.
  n = await at(() => {
    MediaStreamTrack.prototype.getCapabilities = () => ({ torch: true, focusMode: ["continuous", "single-shot"], pointsOfInterest: {} });
    MediaStreamTrack.prototype.applyConstraints = async (c) => { (window.asked ??= []).push(c.advanced[0]); };
  });
  await shoots(n);
  await n.page.click("#torch");
  await n.page.waitForSelector("#torch[aria-pressed=true]");
  const box = await n.page.locator("dialog video").boundingBox();
  await n.page.mouse.click(box.x + box.width / 4, box.y + box.height / 2);
  const asked = await n.page.evaluate(() => window.asked);
  assert.deepEqual(asked[0], { torch: true });
  assert.equal(asked[1].focusMode, "single-shot");
  assert.ok(Math.abs(asked[1].pointsOfInterest[0].x - .25) < .02 && Math.abs(asked[1].pointsOfInterest[0].y - .5) < .02, JSON.stringify(asked[1]));
  await n.check("camera-light");
  await n.close();

  // Without photos at full resolution, a phone's own camera is the first choice.
  n = await at(() => { delete window.ImageCapture; });
  const [native] = await Promise.all([n.page.waitForEvent("filechooser"), n.page.click("#take")]);
  assert.equal(await native.element().getAttribute("capture"), "environment");
  await native.setFiles(picture());
  await n.tiles().first().waitFor();
  assert.match(await n.tiles().first().innerText(), /Phone’s camera/);
  assert.ok(await n.page.locator("#delete-original").isHidden(), "no copy remains to delete");
  const key = await n.page.getAttribute("#chosen li", "data-key");
  const [again] = await Promise.all([n.page.waitForEvent("filechooser"), n.page.click("#chosen button:has-text('Retake')")]);
  await again.setFiles(picture());
  await n.page.waitForFunction((k) => document.querySelector("#chosen li").dataset.key !== k, key);
  assert.equal(await n.tiles().count(), 1);
  await n.close();

  // A camera that may not be used says so, and leaves the other ways.
  n = await at(() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError")); });
  await n.page.click("#take");
  await n.page.waitForSelector("text=may not use the camera");
  await n.check("camera-refused");
  await n.page.click("#done");
  await n.page.click("#patient-change");
  await n.page.click("#scan");
  await n.page.waitForSelector("text=The camera cannot scan here");
  await n.close();
}

/** A photo that comes only after the camera was closed and somebody else chosen is not theirs. */
async function latePhoto() {
  const n = await Nurse.sends(390), p = n.page;
  n.expected = [422];
  await p.evaluate(() => {
    const take = ImageCapture.prototype.takePhoto;
    ImageCapture.prototype.takePhoto = async function (settings) {
      const photo = await take.call(this, settings);
      await new Promise((go) => { window.deliver = go; });
      return photo;
    };
  });
  await n.type();
  await p.click("#yes");
  await p.click("#take");
  await p.waitForSelector("#shutter:enabled");
  await p.click("#shutter");
  await p.waitForFunction(() => window.deliver);
  await p.click("#done");
  await p.click("#patient-change");
  await n.type({ number: "0211165794", born: ["2", "11", "1916"] });
  await p.waitForSelector("#yes, #name");
  if (await p.locator("#name").count()) {
    await p.fill("#name", "Fictitious Person");
    await p.click("text=Register patient");
  }
  await p.click("#yes");
  await p.evaluate(async () => { window.deliver(); await new Promise((go) => setTimeout(go, 500)); });
  assert.equal(await n.tiles().count(), 0);
  await n.close();
}

/** From the wristband to a consultant's answer: the nurse's taps and time are counted. */
async function toConsultant() {
  const n = await Nurse.sends(390), p = n.page, started = Date.now();
  await n.tap("#scan");
  await p.waitForSelector("#yes");
  await n.tap("#yes");
  await n.tap("#take");
  await p.waitForSelector("#shutter:enabled");
  await n.tap("#shutter");
  await p.waitForSelector("text=1 picture taken");
  await n.tap("#done");
  await n.tap("[data-site='Right hand']");
  await n.tap("#consent");
  await n.tap("#go");
  await p.waitForSelector("#to");
  n.taps += 2; // the list, and whom of it
  await p.selectOption("#to", "role:consultant");
  await p.fill("#question", "Is this healing?");
  await n.tap("text=Ask >> nth=-1");
  await p.waitForSelector(".ws-thread");
  const took = (Date.now() - started) / 1000;
  console.log(`   ${n.taps} taps and ${took.toFixed(1)} s from the wristband to the consultant's list`);
  assert.ok(n.taps <= 12, `${n.taps} taps`);
  await n.check("asked");

  const consultant = await Screen.enter("consultant", 1280, "/inbox"), c = consultant.page;
  await c.click(".ws-question:has-text('Is this healing?') a");
  await c.click(".ws-card__link");
  await c.waitForSelector(".ws-viewer__window");
  await c.waitForTimeout(500); // the picture comes
  await c.goBack();
  await c.selectOption("#ready", { index: 1 });
  await c.click("text=Answer >> nth=-1");
  await c.waitForSelector(".ws-thread li >> nth=1");
  await consultant.check("answered");
  await consultant.close();

  await p.goto(base + "/inbox");
  await p.waitForSelector(".ws-question:has-text('Answered'):has-text('New')");
  await n.check("inbox");
  await p.click(".ws-question__link >> nth=0");
  await p.click(".ws-card__link");
  assert.match(await n.text(".ws-facts"), /Seen by[^]*consultant/);
  await n.close();
}

await walks([
  ["typing", typing], ["a late photo", latePhoto], ["fallbacks", fallbacks], ["another patient at 390", () => otherPatient(390)], ["another patient at 1280", () => otherPatient(1280)],
  ["trouble", trouble], ["a film", film], ["keyboard", keyboard], ["to the consultant", toConsultant], ["the whole way at 390", () => wholeWay(390)], ["the whole way at 1280", () => wholeWay(1280)],
]);
