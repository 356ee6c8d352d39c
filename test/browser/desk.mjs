// Walks through the incident desk, the reports and passkeys in a real Chromium.
//
//   URL, PASSWORD   the running server and its people's password
//   SHOTS           a folder for screenshots; none are taken without it
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { AxeBuilder } from "@axe-core/playwright";

const { URL: base, PASSWORD: password, SHOTS, CHROMIUM } = process.env;
const browser = await chromium.launch({
  timeout: 180_000,
  executablePath: CHROMIUM,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic", "--no-first-run"],
});

/** open gives a page on which every error of script or policy fails the walk. */
async function open(width, expected = []) {
  const context = await browser.newContext({ viewport: { width, height: width < 500 ? 844 : 900 }, locale: "en-GB", timezoneId: "Europe/London" });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  page.on("pageerror", (e) => { throw new Error("on " + page.url() + ": " + e); });
  page.on("console", (m) => { if (m.type() === "error" && !expected.some((n) => m.text().includes("status of " + n))) throw new Error("on " + page.url() + ": " + m.text()); });
  return page;
}

async function signIn(page, name, path = "/") {
  await page.goto(base + path);
  await page.fill("#username", name);
  await page.fill("#password", password);
  await page.click("main button");
  await page.waitForLoadState();
  if (await page.locator("h1", { hasText: "Before you start" }).count()) {
    await page.locator("main form button").click();
    await page.waitForLoadState();
  }
}

async function check(page, name) {
  const width = page.viewportSize().width;
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name}-${width}.png`, fullPage: true });
  const { violations } = await new AxeBuilder({ page }).setLegacyMode(true)
    .options({ resultTypes: ["violations"] }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`), [], `axe on ${name} at ${width}`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(over <= 0, `${name} at ${width} hangs over by ${over} pixels`);
}

const outsider = "Olive Specimen (nurse of another team)";

/** The outsider is added by mistake and looks; the auditor finds out, ends it, and decides. By keyboard where it counts. */
async function incident() {
  const admin = await open(1280);
  await signIn(admin, "admin", "/staff");
  await admin.selectOption("#person", { label: outsider });
  await admin.click("text=Add to team");
  await admin.waitForSelector("text=in the team now");
  const looker = await open(390, [404]); // a preview may still be being made
  await signIn(looker, "outsider", "/pictures");
  await looker.locator(".ws-card__link").first().click();
  await looker.waitForSelector("#viewer");
  await looker.waitForFunction(() => [...document.querySelectorAll("#viewer img")].some((i) => i.complete && i.naturalWidth > 0));

  const a = await open(1280, [409, 422]);
  await signIn(a, "auditor", "/incidents/new?cause=wrong-member");
  await check(a, "incident-new");
  await a.selectOption("#person", { label: outsider });
  await a.selectOption("#team", { label: "Tissue viability" });
  await a.fill("#text", "Added to the team by mistake.");
  await a.focus("text=Show the facts");
  await a.keyboard.press("Enter");
  await a.waitForSelector(".ws-clock");
  const at = new URL(a.url()).pathname;
  const figures = await a.locator(".ws-figure__number").allInnerTexts();
  assert.deepEqual(figures.slice(0, 3), ["1", "1", "1"], "could see, did see, knows of");
  await check(a, "incident");

  await a.focus("text=End their access");
  await a.keyboard.press("Enter");
  await a.waitForSelector("text=Being in the team Tissue viability");
  await check(a, "contain");
  await a.focus("text=End it now");
  await a.keyboard.press("Enter");
  await a.waitForSelector("text=taken out of Tissue viability");
  assert.match(await a.locator(".ws-notice").innerText(), /^Done\. \d+ sessions? ended, taken out of Tissue viability\.$/);
  await looker.goto(base + "/pictures");
  assert.equal(await looker.locator("h1").innerText(), "Sign in", "the outsider is out at once");

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
  await check(a, "incident-report");
  await a.fill("#contact", "The data protection officer");
  await a.click("main button:has-text(\"Keep\")");
  await a.waitForSelector("text=The report is kept.");
  await a.emulateMedia({ media: "print" });
  assert.ok(await a.locator("text=The data protection officer").last().isVisible(), "the print has the text");
  assert.equal(await a.locator("#nature").isVisible(), false, "the print has no form");
  await a.emulateMedia({ media: "screen" });
  await a.goto(base + at);
  await a.fill("#lessons", "Two people now check who joins a team.");
  await a.click("text=Close the incident");
  await a.waitForSelector("text=The incident is closed.");
  await check(a, "incident-closed");

  const small = await open(390);
  await signIn(small, "auditor", at);
  await check(small, "incident");
  await small.goto(base + "/incidents/new");
  await check(small, "incident-new");
  await small.goto(base + "/review");
  await check(small, "review");
}

async function reports() {
  for (const width of [1280, 390]) {
    const p = await open(width);
    await signIn(p, "records", "/reports");
    await check(p, "reports");
    assert.ok(await p.locator("svg.ws-chart").count() >= 4, "charts are drawn");
    const download = p.waitForEvent("download");
    await p.locator("a[href^='/reports/filed.csv']").click();
    assert.equal((await download).suggestedFilename(), "filed.csv");
  }
}

/** A passkey is made by a virtual authenticator, signs in, and steps up; another authenticator is refused. */
async function passkey() {
  const p = await open(390, [403, 401]);
  const cdp = await p.context().newCDPSession(p);
  await cdp.send("WebAuthn.enable");
  const key = () => cdp.send("WebAuthn.addVirtualAuthenticator", { options: { protocol: "ctap2", transport: "internal", hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });
  const { authenticatorId } = await key();
  await signIn(p, "records", "/account");
  await check(p, "account");
  await p.click("a[href='/account/second-step']");
  await check(p, "step-up");
  await p.fill("#password", password);
  await p.click("main button");
  await p.waitForSelector("text=Set up a passkey");
  await check(p, "factors");
  await p.click("button:has-text('Set up a passkey')");
  await p.waitForSelector("#name");
  await check(p, "factor-passkey");
  await p.fill("#name", "My phone");
  await p.click("button:has-text(\"Make the passkey\")");
  await p.waitForSelector("#codes");
  await check(p, "factor-codes");
  assert.equal(await p.locator("#codes li").count(), 10);
  const recovery = await p.locator("#codes li").first().innerText();
  await p.click("text=I have them");
  await p.click("button:has-text('Set up an app')");
  await p.waitForSelector(".ws-qr");
  await check(p, "factor-app");

  await p.click("text=Sign out");
  await signIn(p, "records", "/account");
  assert.equal(await p.locator("h1").innerText(), "Second step");
  await check(p, "second");
  await p.click("button:has-text(\"Use a passkey\")");
  await p.waitForURL("**/account");
  assert.match(await p.locator("main").innerText(), /My phone \(10 recovery codes left\)/);
  await p.goto(base + "/step-up?next=/account");
  await p.fill("#password-too", password);
  await p.click("button:has-text(\"Use a passkey\")");
  await p.waitForURL("**/account");

  await p.click("text=Sign out");
  await cdp.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId });
  await key(); // another device
  await signIn(p, "records", "/account");
  await p.click("button:has-text(\"Use a passkey\")");
  await p.waitForSelector("text=That did not work");
  await p.fill("#code", recovery);
  await p.click("main form:not([data-passkey]) button");
  await p.waitForURL("**/account");
  assert.match(await p.locator("main").innerText(), /My phone \(9 recovery codes left\)/);
}

for (const walk of [incident, reports, passkey]) {
  await walk();
  console.log(`${walk.name}: done`);
}
await browser.close();
