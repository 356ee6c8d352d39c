// Walks where the other walks do not go: with somebody from outside, by the
// keyboard alone, by night, and until the session warns that it ends; axe on
// every page, and no page may go against its own policy.
//
//   PICTURE  a JPEG as a phone makes it
//   MAIL     the folder in which mails arrive
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import assert from "node:assert/strict";
import { Screen, base, password, walks } from "./screen.mjs";

const { PICTURE, MAIL } = process.env;
const phone = readFileSync(PICTURE);
let made = 0;

Screen.everyTime = true;

/** filed files a picture as the nurse and waits for its preview. */
async function filed(nurse) {
  await nurse.go("/account");
  const { teams } = await nurse.api("GET", "/session");
  const file = Buffer.concat([phone, Buffer.from("round " + ++made)]).toString("base64");
  const item = await nurse.page.evaluate(async ([file, team]) => {
    const form = new FormData();
    for (const [k, v] of Object.entries({ patient_number_kind: "nhs", patient_number: "9990000018", date_of_birth: "1950-01-31", team, consent: "A", body_site: "left heel", note: "Grade 2" })) form.append(k, v);
    form.append("file", new Blob([Uint8Array.from(atob(file), (c) => c.charCodeAt(0))]), "IMG_0001.JPG");
    const r = await fetch("/api/v1/items", { method: "POST", body: form });
    if (!r.ok) throw new Error(await r.text());
    return (await r.json()).item;
  }, [file, teams[0]]);
  nurse.expected = [404];
  for (let there = false; !there;) {
    await nurse.page.waitForTimeout(200);
    there = await nurse.page.evaluate((id) => fetch(`/api/v1/items/${id}/renditions/preview`, { method: "HEAD" }).then((r) => r.ok), item.id);
  }
  nurse.expected = [];
  return item;
}

/** mails gives what arrived, whole lines. */
const mails = () => readdirSync(join(MAIL, "new")).map((name) => readFileSync(join(MAIL, "new", name), "utf8").replaceAll("=\n", "").replaceAll("=3D", "="));

/** Somebody outside is invited to two pictures, opens them by code on a phone, and is cut off. */
async function outside(width) {
  const nurse = await Screen.enter("nurse", width), p = nurse.page;
  const [one, two] = [await filed(nurse), await filed(nurse)];
  await nurse.go("/pictures?patient=" + one.patient);
  for (const { id } of [one, two]) await p.check(`#item-${id}`);
  await p.click("text=Show the ticked pictures to somebody outside");
  assert.equal(await p.locator(".ws-card").count(), 2);
  await nurse.check("invite");
  nurse.expected = [422];
  await p.fill("#name", "Dr Jane Sample");
  await p.fill("#email", "jane");
  await p.click("text=Send the invitation");
  await p.waitForSelector("#email-error");
  assert.equal(await p.inputValue("#name"), "Dr Jane Sample", "what was typed is kept");
  await nurse.check("invite-wrong");
  await p.fill("#email", `jane.sample.${width}@elsewhere.example`);
  await p.fill("#purpose", "Is a graft possible?");
  await p.click("text=Send the invitation");
  await p.waitForSelector(".ws-notice");
  assert.match(await p.locator("main").innerText(), /Dr Jane Sample[^]*2 pictures[^]*not opened yet/);
  await nurse.check("invitations");

  const letter = mails().find((m) => m.includes(`To: <jane.sample.${width}@elsewhere.example>`));
  const link = base + letter.match(/https?:\/\/[^/\s]+(\/invited#\S+)/)[1];
  const guest = await Screen.open(width), g = guest.page;
  await g.goto(link);
  await g.waitForSelector("#invited-ask:not([hidden])");
  assert.ok(!g.url().includes("#"), "the secret leaves the address");
  await guest.check("invited");
  await g.click("#invited-send");
  await g.waitForSelector("#invited-enter:not([hidden])");
  assert.equal(await g.evaluate(() => document.activeElement.id), "code");
  const code = mails().filter((m) => m.includes(`To: <jane.sample.${width}@`)).map((m) => m.match(/Your code is (\d{3} \d{3})/)?.[1]).find(Boolean);
  guest.expected = [403, 422];
  await g.fill("#code", code.startsWith("000") ? "111111" : "000000");
  await g.keyboard.press("Enter");
  await g.waitForSelector("#code-error");
  await guest.check("invited-wrong");
  await g.fill("#code", code);
  await g.keyboard.press("Enter");
  await g.waitForURL("**/invited/pictures");
  await guest.sees(".ws-viewer__picture", 2);
  const text = await g.locator("body").innerText();
  assert.match(text, /Dr Jane Sample[^]*Is a graft possible/);
  assert.doesNotMatch(text, /Test Patient|999 ?000|left heel|Grade 2|1950/);
  assert.match(await g.locator(".ws-watermark").first().textContent(), /Dr Jane Sample.*20\d\d/);
  await guest.check("visit");
  await g.click("text=Look closer >> nth=0");
  await g.waitForSelector(".ws-viewer__canvas");
  await g.waitForFunction(() => Number(document.querySelector(".ws-viewer__window").dataset.scale) > 0);
  await guest.check("visit-closer");
  guest.expected = [401];
  await guest.go("/pictures");
  assert.equal(await guest.heading(), "Sign in", "nothing else is theirs");

  const auditor = await Screen.enter("auditor", 1280);
  await auditor.go("/invitations");
  assert.match(await auditor.page.locator("main").innerText(), /Dr Jane Sample[^]*opened 1 time/);
  assert.doesNotMatch(await auditor.page.locator("main").innerText(), /graft/);
  await auditor.check("invitations-auditor");
  await auditor.page.locator("section", { hasText: `jane.sample.${width}@` }).getByText("Revoke everything to this person").click();
  await auditor.page.waitForSelector(".ws-notice");
  await auditor.close();
  await guest.go("/invited/pictures");
  assert.equal(await guest.heading(), "Your visit has ended");
  await guest.check("visit-ended");
  guest.expected = [410];
  await g.goto("about:blank");
  await g.goto(link);
  await g.click("#invited-send");
  await g.waitForSelector("#problem");
  assert.match(await g.locator("#problem").innerText(), /taken back/);
  await guest.check("invited-refused");
  await guest.close();
  await nurse.close();
}

/** The pages of auditors and administrators, with something on them, and the one to ask from. */
async function others() {
  const nurse = await Screen.enter("nurse", 390), item = await filed(nurse);
  await nurse.api("POST", "/incidents", { kind: "breach", text: "Lost my phone on the bus" });
  await nurse.go("/ask?item=" + item.id);
  await nurse.check("ask");
  await nurse.close();
  const other = await Screen.enter("outsider", 390);
  await other.api("POST", "/emergencies", { patient: item.patient, reason: "bleeding" });
  await other.go("/pictures?patient=" + item.patient);
  await other.check("emergency");
  await other.close();
  for (const [who, path] of [["auditor", "/review"], ["admin", "/status"], ["admin", "/invitations"]]) {
    for (const width of [390, 1280]) {
      const s = await Screen.enter(who, width);
      await s.go(path);
      await s.check(path.slice(1) + "-" + who);
      await s.close();
    }
  }
}

/** Every kind of page by night. */
async function night() {
  const dark = { colorScheme: "dark" };
  const guest = await Screen.open(390, dark);
  await guest.go("/sign-in");
  await guest.check("sign-in");
  await guest.close();
  const nurse = await Screen.enter("nurse", 390, "/", dark), p = nurse.page, item = await filed(nurse);
  const question = await nurse.api("POST", "/referrals", { items: [item.id], audience: { kind: "role", id: "consultant" }, question: "Is this infected?" });
  for (const path of ["/send", "/queue", "/pictures?patient=" + item.patient, "/links", "/invite?item=" + item.id, "/report", "/account", "/guidance"]) {
    await nurse.go(path);
    await nurse.check(path.split("?")[0].slice(1));
  }
  nurse.expected = [422];
  await nurse.go("/invite?item=" + item.id);
  await p.click("text=Send the invitation");
  await p.waitForSelector("#problem");
  await nurse.check("invite-wrong");
  await nurse.go("/pictures/" + item.id);
  await p.waitForSelector(".ws-viewer__canvas");
  await p.click("button:text-is('Mark')");
  await nurse.check("item");
  assert.equal(await p.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(18, 23, 26)", "it is dark");
  await p.emulateMedia({ media: "print" });
  assert.notEqual(await p.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(18, 23, 26)", "but not on paper");
  await nurse.close();
  for (const [who, paths] of [["consultant", ["/inbox?box=to-me", "/referrals/" + question.id]], ["auditor", ["/audit", "/review", "/invitations", "/reports", "/incidents/new"]], ["records", ["/due", "/records", "/holds", "/holds/new", "/disposals", "/schedule"]], ["admin", ["/staff", "/status"]]]) {
    const s = await Screen.enter(who, 1280, "/", dark);
    for (const path of paths) {
      await s.go(path);
      await s.check(path.split(/[?/]/)[1]);
    }
    await s.close();
  }
}

/** The session says that it ends, two minutes before, and one key keeps it. */
async function warned() {
  const s = await Screen.open(390), p = s.page;
  await p.clock.install();
  await s.enter("nurse", "/account");
  await s.go("/account");
  const idle = Number(await p.locator("body").getAttribute("data-idle"));
  assert.equal(idle, 15 * 60);
  await p.clock.runFor((idle - 125) * 1000);
  assert.equal(await p.locator(".ws-idle").count(), 0, "not before");
  await p.clock.runFor(10_000);
  assert.match(await p.locator(".ws-idle").innerText(), /about two minutes/);
  assert.equal(await p.locator(".ws-idle").getAttribute("role"), "alert");
  await s.check("idle");
  await p.focus(".ws-idle button");
  await p.keyboard.press("Enter");
  await p.waitForFunction(() => !document.querySelector(".ws-idle"));
  await p.clock.runFor(60_000);
  assert.equal(await p.locator(".ws-idle").count(), 0, "it was kept");
  await p.clock.runFor((idle + 5) * 1000);
  assert.match(await p.locator(".ws-idle").innerText(), /You were signed out/);
  // Signed in again, one goes on where one was.
  s.expected = [401];
  await p.evaluate(() => { document.querySelector("main").dataset.same = "yes"; });
  await s.context.clearCookies();
  await p.click(".ws-idle button");
  await p.fill("#again-username", "nurse");
  await p.fill("#again-password", password);
  await s.check("idle-again");
  await p.click("dialog button");
  await p.waitForFunction(() => !document.querySelector(".ws-idle, dialog") && document.querySelector("main").dataset.same);
  await s.close();
}

/** From the inbox to an answer without a mouse: what has the focus can be seen, and nothing holds it. */
async function keyboard() {
  const nurse = await Screen.enter("nurse", 1280), item = await filed(nurse);
  const question = await nurse.api("POST", "/referrals", { items: [item.id], audience: { kind: "role", id: "consultant" }, question: "By keyboard: is this infected?" });
  await nurse.close();
  const s = await Screen.open(1280), p = s.page;
  const to = async (what, find) => {
    for (let n = 0; n < 150; n++) {
      await p.keyboard.press("Tab");
      if (await p.evaluate(find)) {
        const seen = await p.evaluate(() => { const r = document.activeElement.getBoundingClientRect(); return r.width > 0 && r.bottom > 0 && r.top < innerHeight; });
        assert.ok(seen, what + " has the focus and can be seen");
        return;
      }
    }
    assert.fail("Tab does not lead to " + what);
  };
  await s.go("/inbox?box=to-me");
  await to("the username", () => document.activeElement.id === "username");
  await p.keyboard.type("consultant");
  await p.keyboard.press("Tab");
  await p.keyboard.type(password);
  await p.keyboard.press("Enter");
  await p.waitForURL("**/inbox**");
  await p.keyboard.press("Tab");
  assert.match(await p.evaluate(() => document.activeElement.textContent), /Skip to main content/);
  await p.keyboard.press("Enter");
  await to("the question", () => document.activeElement.matches("main a[href^='/referrals/']") && document.activeElement.closest("li, .ws-question").textContent.includes("By keyboard"));
  await p.keyboard.press("Enter");
  await p.waitForURL("**/referrals/" + question.id + "**");
  await to("the picture", () => document.activeElement.matches("main a[href^='/pictures/']"));
  await p.keyboard.press("Enter");
  await p.waitForSelector(".ws-viewer__canvas");
  await p.waitForFunction(() => Number(document.querySelector(".ws-viewer__window").dataset.scale) > 0);
  await to("the stage", () => document.activeElement.matches(".ws-viewer__canvas"));
  const scale = () => p.locator(".ws-viewer__window").getAttribute("data-scale").then(Number), whole = await scale();
  await p.keyboard.press("+");
  await p.waitForFunction((w) => Number(document.querySelector(".ws-viewer__window").dataset.scale) > w * 1.2, whole);
  await p.keyboard.press("r");
  await p.waitForFunction(() => document.querySelector(".ws-viewer__window").dataset.turned === "90");
  await p.keyboard.press("ArrowRight");
  await to("what comes after the stage", () => !document.activeElement.closest(".ws-viewer") && document.activeElement.matches("main a, main button, main select, footer a"));
  await p.goBack();
  await to("the answer", () => document.activeElement.id === "text");
  await p.keyboard.type("No, keep it dry.");
  await to("the button", () => document.activeElement.matches("button[value=answer]"));
  await p.keyboard.press("Enter");
  await p.waitForSelector("text=No, keep it dry.");
  await p.waitForURL("**said=**");
  await s.check("answered-by-keyboard");
  await s.close();
}

await walks([["somebody outside at 390", () => outside(390)], ["other pages", others], ["by night", night], ["a warning", warned], ["the keyboard alone", keyboard]]);
