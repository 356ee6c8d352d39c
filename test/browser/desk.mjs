// Walks through the incident desk, the reports and passkeys in a real Chromium.
import assert from "node:assert/strict";
import { Screen, password, walks } from "./screen.mjs";

Screen.everyTime = true;
const outsider = "Olive Specimen (nurse of another team)";

/** The outsider is added by mistake and looks; the auditor finds out, ends it, and decides. By keyboard where it counts. */
async function incident() {
  const { page: admin } = await Screen.enter("admin", 1280, "/staff");
  await admin.selectOption("#person", { label: outsider });
  await admin.click("text=Add to team");
  await admin.waitForSelector("text=in the team now");
  const looker = await Screen.enter("outsider", 390, "/pictures");
  await looker.page.locator(".ws-card__link").first().click();
  await looker.page.waitForSelector("#viewer");
  await looker.page.waitForFunction(() => [...document.querySelectorAll("#viewer img")].some((i) => i.complete && i.naturalWidth > 0));

  const s = await Screen.enter("auditor", 1280, "/incidents/new?cause=wrong-member"), a = s.page;
  s.expected = [409, 422];
  await s.check("incident-new");
  await a.selectOption("#person", { label: outsider });
  await a.selectOption("#team", { label: "Tissue viability" });
  await a.fill("#text", "Added to the team by mistake.");
  await a.focus("text=Show the facts");
  await a.keyboard.press("Enter");
  await a.waitForSelector(".ws-clock");
  const at = s.path();
  const figures = await a.locator(".ws-figure__number").allInnerTexts();
  assert.deepEqual(figures.slice(0, 3), ["1", "1", "1"], "could see, did see, knows of");
  await s.check("incident");

  await a.focus("text=End their access");
  await a.keyboard.press("Enter");
  await a.waitForSelector("text=Being in the team Tissue viability");
  await s.check("contain");
  await a.focus("text=End it now");
  await a.keyboard.press("Enter");
  await a.waitForSelector("text=taken out of Tissue viability");
  assert.match(await a.locator(".ws-notice").innerText(), /^Done\. \d+ sessions? ended, taken out of Tissue viability\.$/);
  await looker.go("/pictures");
  assert.equal(await looker.heading(), "Sign in", "the outsider is out at once");

  await a.click("text=Close the incident");
  await a.waitForSelector("#problem");
  await a.check("#decision-told");
  await a.fill("#decision_reason", "By the regulator's own form.");
  await a.locator("form[action$=decision] button").click();
  await a.waitForSelector("text=The regulator was told");
  await a.check("#people-not");
  await a.fill("#people_reason", "No high risk to them.");
  await a.locator("form[action$=people] button").click();
  await a.waitForSelector("text=Do not tell the people affected");
  await a.click("text=Report to the regulator");
  await a.waitForSelector("#nature");
  await s.check("incident-report");
  await a.fill("#contact", "The data protection officer");
  await a.click("main button:has-text(\"Keep\")");
  await a.waitForSelector("text=The report is kept.");
  await a.emulateMedia({ media: "print" });
  assert.ok(await a.locator("text=The data protection officer").last().isVisible(), "the print has the text");
  assert.equal(await a.locator("#nature").isVisible(), false, "the print has no form");
  await a.emulateMedia({ media: "screen" });
  await s.go(at);
  await a.fill("#lessons", "Two people now check who joins a team.");
  await a.click("text=Close the incident");
  await a.waitForSelector("text=The incident is closed.");
  await s.check("incident-closed");

  const small = await Screen.enter("auditor", 390, at);
  await small.check("incident");
  await small.go("/incidents/new");
  await small.check("incident-new");
  await small.go("/review");
  await small.check("review");
}

async function reports() {
  for (const width of [1280, 390]) {
    const s = await Screen.enter("records", width, "/reports"), p = s.page;
    await s.check("reports");
    assert.ok(await p.locator("svg.ws-chart").count() >= 4, "charts are drawn");
    const download = p.waitForEvent("download");
    await p.locator("a[href^='/reports/filed.csv']").click();
    assert.equal((await download).suggestedFilename(), "filed.csv");
  }
}

/** A passkey is made by a virtual authenticator, signs in, and steps up; another authenticator is refused. */
async function passkey() {
  const s = await Screen.open(390), p = s.page;
  s.expected = [403, 401];
  const cdp = await s.context.newCDPSession(p);
  await cdp.send("WebAuthn.enable");
  const key = () => cdp.send("WebAuthn.addVirtualAuthenticator", { options: { protocol: "ctap2", transport: "internal", hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });
  const { authenticatorId } = await key();
  await s.enter("records", "/account");
  await s.check("account");
  await p.click("a[href='/account/second-step']");
  await s.check("step-up");
  await p.fill("#password", password);
  await p.click("main button");
  await p.waitForSelector("text=Set up a passkey");
  await s.check("factors");
  await p.click("button:has-text('Set up a passkey')");
  await p.waitForSelector("#name");
  await s.check("factor-passkey");
  await p.fill("#name", "My phone");
  await p.click("button:has-text(\"Make the passkey\")");
  await p.waitForSelector("#codes");
  await s.check("factor-codes");
  assert.equal(await p.locator("#codes li").count(), 10);
  const recovery = await p.locator("#codes li").first().innerText();
  await p.click("text=I have them");
  await p.click("button:has-text('Set up an app')");
  await p.waitForSelector(".ws-qr");
  await s.check("factor-app");

  await p.click("text=Sign out");
  await s.go("/account");
  await s.signIn("records");
  assert.equal(await s.heading(), "Second step");
  await s.check("second");
  await p.click("button:has-text(\"Use a passkey\")");
  await p.waitForURL("**/account");
  assert.match(await s.text(), /My phone \(10 recovery codes left\)/);
  await s.go("/step-up?next=/account");
  await p.fill("#password-too", password);
  await p.click("button:has-text(\"Use a passkey\")");
  await p.waitForURL("**/account");

  await p.click("text=Sign out");
  await cdp.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId });
  await key(); // another device
  await s.go("/account");
  await s.signIn("records");
  await p.click("button:has-text(\"Use a passkey\")");
  await p.waitForSelector("text=That did not work");
  await p.fill("#code", recovery);
  await p.click("main form:not([data-passkey]) button");
  await p.waitForURL("**/account");
  assert.match(await s.text(), /My phone \(9 recovery codes left\)/);
}

await walks([["an incident", incident], ["reports", reports], ["a passkey", passkey]]);
