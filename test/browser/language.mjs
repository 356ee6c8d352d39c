// Sends a picture and looks at it in a language in which every letter is marked,
// and fails for a letter without a mark that is neither data nor a date, which
// browsers write.
//
//   PICTURE   a JPEG as a phone makes it
//   LANGUAGE  the language
import assert from "node:assert/strict";
import { Screen, browser, password } from "./screen.mjs";

const { PICTURE, LANGUAGE } = process.env;
const nurse = await Screen.open(1100, { locale: LANGUAGE }), p = nurse.page;
const data = ["Wardseal", "English", LANGUAGE, "Example Nurse", "nurse", "Test Patient", "Tissue viability", "left heel", "JPEG", "SHA-256", "IMG_0001.JPG", "Grade 2, day 3. Advice on dressing?", "Edge", "Chrome", "Linux",
  "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December", "am", "pm"];

/** speaks fails for what is seen, or read out, and has letters without a mark. */
async function speaks(where) {
  const texts = await p.evaluate(() => {
    const out = [], seen = (e) => e.checkVisibility?.() ?? true;
    const walk = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    for (let n = walk.currentNode; n; n = walk.nextNode()) {
      const e = n instanceof Element ? n : n.parentElement;
      if (!e || e.closest("script, style, noscript, code, [translate=no], .ws-watermark") || (e !== document.documentElement && !seen(e) && e.tagName !== "TITLE")) continue;
      if (n instanceof Text) out.push(n.data);
      else for (const name of ["aria-label", "title", "placeholder", "alt", "aria-valuetext"]) if (n.hasAttribute(name)) out.push(n.getAttribute(name));
    }
    return out;
  });
  const left = [...new Set(texts)].filter((text) => {
    let rest = text.replace(/[0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9a-f]{64}\b|[a-z]+(?:[-.][a-z]+)+|\bM\d\d\b/g, ""); // M11 is a month, of a browser that does not know the language
    for (const d of [...data].sort((a, b) => b.length - a.length)) rest = rest.replaceAll(d, "");
    return /[A-Za-z]/.test(rest);
  });
  assert.deepEqual(left, [], `${where} says what is in no catalogue`);
  if (process.env.SHOTS) await p.screenshot({ path: `${process.env.SHOTS}/language-${where.replaceAll(" ", "-")}.png`, fullPage: true });
}

nurse.expected = [401, 403, 404, 422];
await nurse.go("/sign-in");
assert.equal(await p.evaluate(() => document.documentElement.lang), LANGUAGE);
await speaks("signing in");
await nurse.signIn("nurse");
await p.waitForSelector("#patient_number");
await speaks("the form");
await p.fill("#patient_number", "999 000 0019");
await p.dispatchEvent("#patient_number", "input");
await speaks("a mistyped number");
await p.click("button[formaction='/send/patient']");
await p.waitForSelector("#problem");
await speaks("what is missing");
// The page also asks by itself who it is. When that is answered, what was typed meanwhile stays.
let asked = 0;
await p.route("**/send/patient", async (r) => { if (++asked > 1) await new Promise((later) => setTimeout(later, 1500)); await r.continue(); });
await nurse.type();
await p.click("button[formaction='/send/patient']");
await p.waitForSelector("#name");
await p.fill("#name", "Test Patient");
await p.waitForTimeout(2500);
assert.equal(await p.inputValue("#name"), "Test Patient", "what was typed while the page asked is kept");
await p.unroute("**/send/patient");
await speaks("a patient to register");
await p.click("button[formaction='/send/register']");
await p.waitForSelector("#yes");
await speaks("the patient");
await p.click("#yes");
await p.waitForSelector("#take");
await speaks("nothing taken");
await p.click("#go");
await p.waitForSelector("#problem");
await speaks("what else is missing");
await p.locator("#body-map [role=radio]").first().click();
await speaks("the map of the body");
await nurse.fillIn();
await p.setInputFiles("#file", [PICTURE]);
await p.waitForSelector(".ws-shot");
await speaks("a picture");
await p.click("#patient-change");
await p.waitForSelector("dialog[open]");
await speaks("another patient?");
await p.click("dialog[open] button[value='']");
await nurse.context.clearCookies(); // the session is over
await p.click("#go");
await p.waitForSelector("#again-username");
await speaks("signing in again");
await p.fill("#again-username", "nurse");
await p.fill("#again-password", password);
await p.click("dialog button");
await p.waitForURL(/\/pictures\//);
await p.waitForSelector(".ws-viewer__bar");
await speaks("a picture that was filed");
for (const tool of await p.locator(".ws-viewer__bar [aria-expanded]").all()) {
  await tool.click();
  await speaks("a tool of the picture");
}
await nurse.go("/queue");
await p.waitForSelector(".ws-waiting__said");
await speaks("what waits");
await nurse.go("/account");
await speaks("the account");
// Nothing is done for a while.
await p.clock.install();
await nurse.go("/account");
const idle = Number(await p.getAttribute("body", "data-idle"));
await p.clock.fastForward((idle - 60) * 1000);
await p.waitForSelector(".ws-idle");
await speaks("a session that is about to end");
await p.clock.fastForward(120_000);
await speaks("a session that has ended");
await p.clock.resume();
await nurse.go("/account");
// The reader chooses, and comes back to where they were.
await p.click("button[name=language][value=en]");
await p.waitForURL(/\/account$/);
assert.equal(await p.evaluate(() => document.documentElement.lang), "en-GB");
assert.match(await p.locator("h1").innerText(), /Your account/);
await nurse.go("/sign-in");
await nurse.close();
await browser.close();
console.log("the scripts speak the language");
