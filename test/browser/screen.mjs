// A person at a screen, for the walks through the pages.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { AxeBuilder } from "@axe-core/playwright";

const { SHOTS, CHROMIUM } = process.env;
export const { URL: base, PASSWORD: password } = process.env;

export const browser = await chromium.launch({
  timeout: 180_000,
  executablePath: CHROMIUM,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic", "--no-first-run"],
});

const looked = new Set(); // the states of pages that axe has seen, at one of the widths

/** A person at a screen. What goes wrong on the page is an error here. */
export class Screen {
  static async open(width, options = {}) {
    const s = new Screen();
    s.width = width;
    s.context = await browser.newContext({ viewport: { width, height: width < 500 ? 844 : 900 }, locale: "en-GB", timezoneId: "Europe/London", ...options });
    s.context.setDefaultTimeout(60_000); // machines can be busy
    // Some violations of a page's policy are told to scripts alone.
    await s.context.addInitScript(() => addEventListener("securitypolicyviolation", (e) => console.error(`against the policy: ${e.violatedDirective} ${e.blockedURI}`)));
    s.page = await s.context.newPage();
    s.expected = []; // statuses that this walk provokes
    s.page.on("pageerror", (e) => { throw new Error("on " + s.page.url() + ": " + e); });
    s.page.on("console", (m) => {
      const waiting = /\/renditions\/(preview|poster|playable)$/.test(m.location().url) && m.text().includes("status of 404"); // it is being made
      if (m.type() === "error" && !waiting && !s.expected.some((n) => m.text().includes("status of " + n))) throw new Error("on " + s.page.url() + ": " + m.text());
    });
    return s;
  }
  async go(path) { await this.page.goto(base + path); }
  async signIn(name) {
    await this.page.fill("#username", name);
    await this.page.fill("#password", password);
    await this.page.click("main button");
  }
  async signOut() { await this.page.click("text=Sign out"); }
  heading() { return this.page.locator("h1").innerText(); }

  /** check runs axe, and that nothing hangs over the edge or is too small to hit. */
  async check(name) {
    if (SHOTS) await this.page.screenshot({ path: `${SHOTS}/${name}-${this.width}.png`, fullPage: true });
    if (!/wrong|missing|register|used|refused/.test(name)) assert.equal(await this.page.locator("#problem").count(), 0, `no problem on ${name}`);
    if (this.mute) return;
    const over = await this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(over <= 0, `${name} at ${this.width} hangs over by ${over} pixels`);
    if (looked.has(name)) return;
    looked.add(name);
    const { violations } = await new AxeBuilder({ page: this.page }).setLegacyMode(true)
      .options({ resultTypes: ["violations"] }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
    assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`), [], `axe on ${name} at ${this.width}`);
  }

  async type({ number = "999 000 0018", year = "1950" } = {}) {
    const p = this.page;
    await p.fill("#patient_number", number);
    await p.fill("#date_of_birth", "31");
    await p.fill("#dob_month", "1");
    await p.fill("#dob_year", year);
  }
  async fillIn({ site = "left heel" } = {}) {
    const p = this.page;
    await p.fill("#body_site", site);
    await p.fill("#note", "Grade 2, day 3. Advice on dressing?");
    await p.click("#consent");
  }
  async sees(selector) {
    const img = this.page.locator(selector);
    await img.waitFor();
    await this.page.waitForFunction((s) => { const i = document.querySelector(s); return i && i.complete && i.naturalWidth > 0; }, selector);
  }
}
