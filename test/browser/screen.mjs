// A person at a screen, for the walks through the pages.
//
//   URL, PASSWORD  the running server and its people's password
//   CHROMIUM       the browser
//   BAND           a film for the browser's camera, as Chromium's fake one takes it; no camera without it
//   SHOTS          a folder for screenshots; none are taken without it
//   ONLY           walk only those whose name matches
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { AxeBuilder } from "@axe-core/playwright";

const { SHOTS, CHROMIUM, BAND, ONLY } = process.env;
export const { URL: base, PASSWORD: password } = process.env;

export const browser = await chromium.launch({
  timeout: 180_000,
  executablePath: CHROMIUM,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic", "--no-first-run",
    ...(BAND ? ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--use-file-for-fake-video-capture=" + BAND] : [])],
});

/** walks takes the walks, each a name and a function, one after another. */
export async function walks(all) {
  try {
    for (const [name, walk] of all) {
      if (ONLY && !new RegExp(ONLY).test(name)) continue;
      const started = Date.now();
      await walk();
      console.log(`ok ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    }
  } finally {
    await browser.close();
  }
}

/**
 * whole has whatever leads to another page, or waits for something on it, come
 * back only when the whole of that page is there: pages arrive piece by piece,
 * and Playwright goes on at the first. Pages and locators alike act through the
 * page's frame. A key that the keyboard presses is not waited for: name what it
 * leads to.
 */
function whole(page) {
  const frame = page.mainFrame();
  for (const name of ["click", "press", "waitForSelector", "waitForFunction"]) {
    const act = frame[name].bind(frame);
    frame[name] = async (...args) => {
      const out = await act(...args);
      await frame.waitForLoadState("domcontentloaded");
      return out;
    };
  }
  return page;
}

const looked = new Set(); // the states of pages that axe has seen

/** A person at a screen. What goes wrong on the page is an error here. */
export class Screen {
  static everyTime = false; // whether axe looks at a state of a page each time, and not at one width alone

  /** open opens a window; options are those of a context in Playwright. */
  static async open(width, options = {}) {
    const s = new this();
    s.width = width;
    s.night = options.colorScheme === "dark" ? "-night" : "";
    s.expected = []; // statuses that this walk provokes, or what else the console says of them
    s.context = await browser.newContext({ viewport: { width, height: width < 500 ? 844 : 900 }, locale: "en-GB", timezoneId: "Europe/London", ...options });
    s.context.setDefaultTimeout(60_000); // machines can be busy
    // Some violations of a page's policy are told to scripts alone.
    await s.context.addInitScript(() => addEventListener("securitypolicyviolation", (e) => console.error(`against the policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`)));
    await s.#watch();
    return s;
  }
  /** enter opens a window for somebody who signs in on the way to a page, and reads the guidance, which is shown once. */
  static async enter(name, width, to = "/", options = {}) {
    const s = await this.open(width, options);
    await s.enter(name, to);
    return s;
  }
  async enter(name, to) {
    if (to) await this.go(to);
    await this.signIn(name);
    await this.page.waitForSelector("body[data-person]");
    if (await this.heading() === "Before you start") await this.page.click("main button");
    assert.notEqual(await this.heading(), "Before you start", "the guidance is read once");
  }
  /** beside opens one more tab of the window. */
  async beside(path) {
    const s = Object.assign(new this.constructor(), this);
    await s.#watch();
    if (path) await s.go(path);
    return s;
  }
  async #watch() {
    const p = this.page = whole(await this.context.newPage());
    p.on("pageerror", (e) => { throw new Error("on " + p.url() + ": " + e); });
    p.on("console", (m) => {
      const waiting = /\/renditions\/(preview|poster|playable)$/.test(m.location().url) && m.text().includes("status of 404"); // it is being made
      if (m.type() === "error" && !waiting && !this.expected.some((e) => m.text().includes(Number(e) ? "status of " + e : e))) throw new Error("on " + p.url() + ": " + m.text());
    });
  }
  close() { return this.context.close(); }

  async go(path) { await this.page.goto(base + path); }
  async signIn(name) {
    await this.page.fill("#username", name);
    await this.page.fill("#password", password);
    await this.page.click("main button");
  }
  async signOut() { await this.page.click("text=Sign out"); }
  heading() { return this.page.locator("h1").innerText(); }
  text(where = "main") { return this.page.locator(where).innerText(); }
  path() { return new URL(this.page.url()).pathname; }

  /** api asks the API as the page's own script does. */
  async api(method, path, body) {
    const { status, text } = await this.page.evaluate(async ([method, path, body]) => {
      const r = await fetch("/api/v1" + path, { method, ...(body ? { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {}) });
      return { status: r.status, text: await r.text() };
    }, [method, path, body]);
    assert.ok(status < 300, `${method} ${path}: ${status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  /** check runs axe, and that nothing hangs over the edge or is too small to hit. */
  async check(name) {
    if (SHOTS) await this.page.screenshot({ path: `${SHOTS}/${name}${this.night}-${this.width}.png`, fullPage: true });
    if (!/wrong|missing|register|used|refused/.test(name)) assert.equal(await this.page.locator("#problem").count(), 0, `no problem on ${name}`);
    if (this.mute) return;
    const over = await this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(over <= 0, `${name} at ${this.width} hangs over by ${over} pixels`);
    if (looked.has(name) && !Screen.everyTime) return;
    looked.add(name);
    const { violations } = await new AxeBuilder({ page: this.page }).setLegacyMode(true)
      .options({ resultTypes: ["violations"] }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
    assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html + " " + n.failureSummary).join(" ")}`), [], `axe on ${name}${this.night} at ${this.width}`);
  }

  async type({ number = "999 000 0018", born: [day, month, year] = ["31", "1", "1950"] } = {}) {
    const p = this.page;
    await p.fill("#patient_number", number);
    await p.fill("#date_of_birth", day);
    await p.fill("#dob_month", month);
    await p.fill("#dob_year", year);
  }
  async fillIn({ site = "left heel" } = {}) {
    const p = this.page;
    await p.fill("#body_site", site);
    await p.fill("#note", "Grade 2, day 3. Advice on dressing?");
    await p.click("#consent");
  }
  /** sees waits for an image, the first of so many. */
  async sees(selector, of = 1) {
    await this.page.locator(selector).first().waitFor();
    await this.page.waitForFunction(([s, of]) => { const all = document.querySelectorAll(s); return all.length === of && all[0].complete && all[0].naturalWidth > 0; }, [selector, of]);
  }
}
