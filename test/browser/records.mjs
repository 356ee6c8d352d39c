// Walks of the records officers and the auditor: from a death that is recorded
// to a certificate in the file.
//
//   URL      the running demo, whose approvals can be undone for a few seconds; a walk needs those before it
//   PICTURE  a JPEG as a phone makes it
//   KEEP     a folder for the certificate, which the test looks into afterwards
import { readFileSync } from "node:fs";
import assert from "node:assert/strict";
import { Screen, password, walks } from "./screen.mjs";

const { PICTURE, KEEP } = process.env;

/** The nurse files pictures of one patient, and registers another. */
async function files() {
  const nurse = await Screen.enter("nurse", 1280, "/send");
  const bytes = [...readFileSync(PICTURE)];
  const statuses = await nurse.page.evaluate(async (bytes) => {
    const session = await (await fetch("/api/v1/session")).json();
    const made = [];
    for (const [number, name] of [["9990000026", "Other Patient"], ["9990000034", "Third Patient"]]) {
      const a = await fetch("/api/v1/patients", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ patient_number_kind: "nhs", patient_number: number, name, date_of_birth: "1950-01-31" }) });
      made.push(a.status);
    }
    for (const [number, site, consent] of [["9990000018", "left heel, day 5", "A"], ["9990000018", "sacrum", "C"], ["9990000018", "right knee", "B"], ["9990000034", "left hand", "A"]]) {
      const f = new FormData();
      for (const [k, v] of Object.entries({ patient_number_kind: "nhs", patient_number: number, date_of_birth: "1950-01-31", team: session.teams[0], consent, body_site: site, allow_repeat: "true" })) f.append(k, v);
      f.append("file", new Blob([new Uint8Array(bytes), site]), "IMG.JPG");
      made.push((await fetch("/api/v1/items", { method: "POST", body: f })).status);
    }
    return made;
  }, bytes);
  assert.deepEqual(statuses, Array(6).fill(201));
  await nurse.close();
}

async function find(s, number = "999 000 0018", year = "1950") {
  await s.go("/records");
  await s.type({ number, born: ["31", "1", year] });
  await s.page.click("button:text-is('Find')");
}

/** day types a day into three fields. */
async function day(s, field, d, m, y) {
  await s.page.fill(`#${field}`, d);
  await s.page.fill(`#${field}_month`, m);
  await s.page.fill(`#${field}_year`, y);
}

/** What happens to patients, and what was recorded in error. */
async function records(width) {
  const s = await Screen.enter("records", width), p = s.page;
  assert.equal(await s.heading(), "Due for review", "the day starts with what is due");
  await s.check("due-none");
  await s.go("/records");
  await s.check("records");
  s.expected = [422, 409];
  await find(s, "999 000 0018", "1951");
  assert.match(await s.text("#problem"), /date of birth does not match/);
  await s.check("records-wrong");
  await find(s);
  assert.match(s.path(), /^\/records\/[0-9a-f-]{36}$/, "no patient number in an address");
  assert.match(await s.text(), /Kept until [^]*6 years after the last entry/, "each says why");
  assert.match(await s.text(), /Rule not yet verified/i);
  assert.equal(await p.locator("main img").count(), 0, "records officers see facts, not pictures");
  await s.check("record");
  await p.click("button:text-is('Record')");
  await p.waitForSelector("#problem");
  await s.check("record-wrong");
  await p.selectOption("#event", "died");
  await day(s, "on", "3", "2", "2010");
  await p.fill("#note", "from the registrar");
  await p.click("button:text-is('Record')");
  await p.waitForSelector(".ws-notice");
  assert.match(await s.text(), /3 years after the death on 3 February 2010/);
  assert.ok(await p.locator("main >> text=Due for review").count() >= 3);
  await s.check("record-died");
  await p.click("text=Recorded in error?");
  await p.click("button:has-text('It did not happen')");
  await p.waitForSelector("s");
  assert.match(await s.text(), /6 years after the last entry/, "the dates go back");
  await s.check("record-cancelled");
  const record = s.path();

  // One item: a class of its own, less consent, the right patient and back.
  await p.click("text=Put right or end >> nth=1");
  await s.check("kept");
  await p.click("button:text-is('Move to that patient')");
  await p.waitForSelector("#problem");
  await s.check("kept-wrong");
  await s.go(record);
  await p.selectOption("#class", "mental-health");
  await p.click("button:text-is('Save class')");
  assert.match(await s.text(), /20 years after/);
  await p.selectOption("#class", "");
  await p.click("button:text-is('Save class')");
  await p.waitForSelector(".ws-notice");
  await s.close();
}

/** A file of events: what is refused comes back to be put right. */
async function imports(width) {
  const s = await Screen.enter("records", width, "/records"), p = s.page;
  const head = "patient_number_kind,patient_number,date_of_birth,event,on,note\n";
  await p.fill("#lines", head + "nhs,9990000026,1950-01-31,discharged,2024-05-06,\"ward 4, home\"\nnhs,9990000026,1950-01-31,vanished,2024-05-06,\nnhs,9990000026\n");
  await p.click("text=Record these events");
  await p.waitForSelector("#made");
  assert.match(await s.text("#made"), /2 lines refused, 1 recorded[^]*3[^]*Choose what happened[^]*4[^]*six fields/);
  assert.equal(await p.inputValue("#lines"), head + "nhs,9990000026,1950-01-31,vanished,2024-05-06,\nnhs,9990000026\n", "only what was refused is left");
  await s.check("records-import-refused");
  const [file] = await Promise.all([p.waitForEvent("download"), p.click("text=download them")]);
  assert.equal(file.suggestedFilename(), "refused-events.csv");
  await p.fill("#lines", head + "nhs,9990000026,1950-01-31,in-use,2024-05-06,\n");
  await p.click("text=Record these events");
  await p.waitForSelector(".ws-done");
  await p.setInputFiles("#file", { name: "events.csv", mimeType: "text/csv", buffer: Buffer.from(head + "nhs,9990000026,1950-01-31,discharged,2024-06-06,\n") });
  await p.click("text=Record these events");
  assert.match(await s.text(".ws-done"), /1 event recorded/);
  await s.close();
}

/** Death makes everything due; a hold is on the knee. Gives the record's address. */
async function dies() {
  const s = await Screen.enter("records", 1280), p = s.page;
  await find(s);
  await p.selectOption("#event", "died");
  await day(s, "on", "3", "2", "2010");
  await p.click("button:text-is('Record')");
  await p.waitForSelector(".ws-notice");
  const record = s.path();
  await s.close();
  return record;
}

async function holds(width) {
  const s = await Screen.enter("records", width, "/holds"), p = s.page;
  s.expected = [422];
  await s.check("holds");
  await p.click("main a:text-is('Place a hold')");
  await s.check("hold-new");
  await p.click("button:text-is('See what it would be on')");
  await p.waitForSelector("#problem");
  await p.fill("#reason", "Inquiry into wound care on ward 4");
  await p.fill("#authority", "Example Inquiry 7/26");
  await p.click("button:text-is('See what it would be on')");
  assert.match(await s.text("#problem"), /Say what the hold is on/);
  await s.check("hold-wrong");
  await p.selectOption("#body_site", "knee");
  await p.click("text=One patient only");
  await s.type();
  await p.click("button:text-is('See what it would be on')");
  assert.match(await s.text(), /would be on 1 picture[^]*knee[^]*Test Patient/);
  await s.check("hold-check");
  await p.click("text=Change it");
  assert.equal(await p.inputValue("#reason"), "Inquiry into wound care on ward 4", "what was typed is kept");
  await p.click("button:text-is('See what it would be on')");
  await p.click("button:text-is('Place this hold')");
  await p.waitForSelector(".ws-notice");
  assert.match(await s.text(), /1 picture or video, of which 1 would be due/);
  await s.check("holds-placed");
  await s.go("/due");
  assert.equal(await p.locator(".ws-due__held input").count(), 0, "what is held cannot be ticked");
  assert.match(await s.text(".ws-due__held"), /right knee[^]*1 hold on it: it stays/);
  await s.check("due");
  await p.click("button:text-is('Record the decision')");
  await p.waitForSelector("#problem");
  await s.check("due-wrong");
  await s.close();
}

/** releases ends the hold that holds() placed. */
async function releases(width) {
  const s = await Screen.enter("records", width, "/holds"), p = s.page;
  await p.click("summary:has-text('Release')");
  await p.fill("textarea", "the inquiry is over");
  await p.click("text=Release the hold");
  await p.waitForSelector(".ws-notice");
  assert.match(await s.text(), /No hold is in force[^]*the inquiry is over/);
  await s.check("holds-released");
  await s.close();
}

/** The review queue by keyboard alone, at the start of the page and to its end. */
async function proposesByKeyboard(sites) {
  const s = await Screen.enter("records", 1280, "/due"), p = s.page;
  const at = () => p.evaluate(() => { const e = document.activeElement; return [e.id, e.getAttribute("name") ?? "", e.labels?.[0]?.innerText ?? e.innerText ?? ""].join("|"); });
  const inSight = () => p.evaluate(() => { const r = document.activeElement.getBoundingClientRect(); const e = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2); return !!e && (document.activeElement.contains(e) || e.contains(document.activeElement) || e.closest(".nhsuk-checkboxes__item, .nhsuk-radios__item") === document.activeElement.parentElement); });
  const tabTo = async (want) => {
    for (let i = 0; i < 80; i++) {
      await p.keyboard.press("Tab");
      const here = await at();
      if (want.test(here)) { assert.ok(await inSight(), `${here} is in sight when it has the focus`); return; }
    }
    assert.fail(`${want} cannot be reached by keyboard`);
  };
  for (const site of sites) {
    await p.evaluate(() => { document.activeElement.blur(); });
    await tabTo(new RegExp(`\\|item\\|${site}`));
    await p.keyboard.press("Space");
  }
  assert.match(await s.text("#ticks"), new RegExp(`${sites.length} of \\d+ ticked`));
  await tabTo(/^decision\|/);
  await p.keyboard.press("ArrowDown");
  await p.keyboard.press("ArrowDown");
  assert.ok(!await p.locator(".ws-until").isVisible(), "destruction needs no day");
  await tabTo(/^reason\|/);
  await p.keyboard.type("three years after the death");
  await tabTo(/Record the decision/);
  await p.keyboard.press("Enter");
  await p.waitForURL("**/disposals/*");
  assert.match(await s.text(), /You proposed this yourself/);
  await s.check("disposal-own");
  const batch = s.path();
  await s.close();
  return batch;
}

/** The second officer, who proves once more who they are. */
async function approves(batch, width, first) {
  const s = await Screen.enter("records2", width, "/disposals"), p = s.page;
  s.expected = [422, 403];
  assert.match(await s.text("nav[aria-label=Menu]"), /Disposals[^]*1/, "the menu says that something waits");
  assert.match(await s.text(), /1 proposal waits for you/);
  await s.check("disposals");
  await s.go(batch);
  await s.check("disposal-proposed");
  await p.click("button:text-is('Refuse')");
  await p.waitForSelector("#problem");
  await s.check("disposal-wrong");
  await p.click("button:text-is('Approve destruction')");
  if (first) {
    await p.waitForURL("**/step-up**");
    await s.check("step-up");
    await p.fill("#password", password);
    await p.click("main button");
    await p.waitForURL("**" + batch);
    await p.click("button:text-is('Approve destruction')");
  }
  await p.waitForSelector("text=Can be undone until");
  await s.check("disposal-approved");
  return s;
}

/** From two signatures to nothing left and a paper in the file. */
async function destroys() {
  const s = await Screen.enter("records2", 1280), p = s.page;
  let batch = await proposesByKeyboard(["left heel", "sacrum"]);
  const second = await approves(batch, 1280, true);
  await second.page.fill("#undone_reason", "the family has asked for a copy");
  await second.page.click("text=Undo the approval");
  await second.page.waitForSelector("text=the family has asked for a copy");
  await second.check("disposal-undone");
  batch = await proposesByKeyboard(["left heel", "sacrum"]);
  await second.go("/disposals");
  await second.go(batch);
  await second.page.click("button:text-is('Approve destruction')");
  if (new URL(second.page.url()).pathname === "/step-up") {
    await second.page.fill("#password", password);
    await second.page.click("main button");
    await second.page.waitForURL("**" + batch);
    await second.page.click("button:text-is('Approve destruction')");
  }
  await second.page.waitForSelector("text=Interim certificate", { timeout: 180_000 }); // the page looks again by itself
  await second.check("disposal-destroyed");
  for (const [link, name] of [["To print and sign", "certificate.pdf"], ["Signed certificate", "certificate.json"]]) {
    const [file] = await Promise.all([second.page.waitForEvent("download"), second.page.click(`text=${link}`)]);
    await file.saveAs(`${KEEP}/${name}`);
  }
  await second.page.click("text=Is it about a certain patient?");
  for (const [number, answer] of [["9990000018", /Yes: 2 pictures/], ["9990000026", /No: nothing/]]) {
    await second.page.fill("#patient_number", number);
    await second.page.click("text=Check this number");
    await second.page.waitForSelector("#made");
    assert.match(await second.text("#made"), answer);
  }
  await second.check("disposal-matched");
  await second.close();
  await s.close();
  return batch;
}

/** Two numbers become one person and two again. */
async function merges(width) {
  const s = await Screen.enter("records", width), p = s.page;
  s.expected = [422];
  await find(s, "999 000 0034");
  const third = s.path();
  await p.click("summary:has-text('The same person has another number')");
  await s.type({ number: "999 000 0026" });
  await p.fill("#reason", "the registry says so");
  await p.click("button:text-is('Merge into that patient')");
  await p.waitForSelector(".ws-notice");
  assert.match(await s.text(), /Merged into this record: Third Patient/);
  await s.check("merged");
  await p.click("summary:has-text('Undo the merge')");
  await p.click("button:text-is('Undo the merge')");
  await p.waitForSelector("#problem");
  await s.check("merged-wrong");
  await p.fill("#merges ~ ul textarea", "they are two people");
  await p.click("button:text-is('Undo the merge')");
  await p.waitForSelector(".ws-notice");
  assert.match(await s.text(), /Was merged into this record: Third Patient[^]*they are two people/);
  await s.check("merge-undone");
  await s.go(third);
  assert.match(await s.text(), /left hand[^]*This record was merged into another: Other Patient/);
  await s.check("merge-undone-there");
  await s.close();
}

/** What is due goes to another organisation, as far as its package; then it is taken back. */
async function handsOver(width) {
  const s = await Screen.enter("records", width, "/due"), p = s.page;
  s.expected = [422];
  await p.check("label:has-text('right knee')");
  await p.check("#decision-hand-over");
  assert.ok(!await p.locator(".ws-until").isVisible(), "a handover needs no day");
  await p.click("text=Record the decision");
  await p.waitForSelector("h1:has-text('Hand over 1 picture')");
  await s.check("handover-new");
  await p.click("button:text-is('Propose the handover')");
  await p.waitForSelector("#problem");
  await s.check("handover-wrong");
  await p.fill("#receiver", "Example Archive");
  await p.fill("#recipient", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p");
  await p.fill("#reason", "the collection moves there");
  await p.click("button:text-is('Propose the handover')");
  await p.waitForURL("**/handovers/*");
  await s.check("handover-own");
  const at = s.path(), second = await Screen.enter("records2", width, at), q = second.page;
  await second.check("handover-proposed");
  await q.click("button:text-is('Approve the handover')");
  await q.waitForURL("**/step-up**");
  await q.fill("#password", password);
  await q.click("main button");
  await q.waitForURL("**" + at);
  await q.click("button:text-is('Approve the handover')");
  await q.waitForSelector("text=Fetch the package");
  await second.check("handover-approved");
  const [file] = await Promise.all([q.waitForEvent("download"), q.click("main a:text-is('Fetch the package')")]);
  assert.match(file.suggestedFilename(), /^handover-[0-9a-f-]{36}\.tar\.age$/);
  assert.match(readFileSync(await file.path(), "latin1"), /^age-encryption\.org\/v1\n-> X25519 /);
  await second.go(at);
  await q.waitForSelector("text=They have it");
  await second.check("handover-sent");
  await q.fill("#undone_reason", "they closed");
  await q.click("button:text-is('End the handover')");
  await q.waitForSelector(".ws-notice");
  await second.check("handover-ended");
  await second.go("/handovers");
  await second.check("handovers");
  await second.close();
  await s.close();
}

/** At the width of a phone everything is there too; the auditor changes nothing. */
async function others(width, record, batch) {
  const s = await Screen.enter("records", width), p = s.page;
  for (const [name, where] of [["due-390", "/due"], ["record-390", record], ["disposals-390", "/disposals"], ["disposal-390", batch], ["schedule", "/schedule"], ["hold-of-one", "/holds/new?patient=" + record.split("/").pop()]]) {
    await s.go(where);
    await s.check(name);
  }
  await s.go("/schedule");
  await p.click("button:has-text('Confirm') >> nth=0");
  await p.waitForSelector(".ws-notice");
  assert.match(await s.text(), /Confirmed[^]*by Rory/i);
  await s.check("schedule-confirmed");
  await s.go(record);
  await p.click("text=Its facts >> nth=0");
  assert.match(await s.text(), /How long it is kept[^]*3 years after the death/);
  await s.check("item-kept");
  await s.close();
  const auditor = await Screen.enter("auditor", width);
  for (const where of ["/records", record, "/holds", "/disposals", batch, "/handovers", "/schedule"]) {
    await auditor.go(where);
    await auditor.check("auditor" + where.replace(/\/|[0-9a-f-]{36}/g, "-"));
    const forms = await auditor.page.locator("main form[method=post]").evaluateAll((all) => all.map((f) => f.getAttribute("action")));
    assert.deepEqual(forms.filter((f) => !/\/records\/find|\/match#made/.test(f)), [], `the auditor changes nothing on ${where}`);
  }
  await auditor.close();
}

/** Without script a decision is a plain form. */
async function withoutScript() {
  const s = await Screen.enter("records", 1280, "/due", { javaScriptEnabled: false }), p = s.page;
  s.mute = true;
  assert.ok(!await p.locator("#ticks").isVisible());
  await p.check("label:has-text('right knee')");
  await p.check("#decision");
  await day(s, "until", "27", "3", "2041");
  await p.fill("#reason", "the family has asked for a copy");
  await p.click("text=Record the decision");
  assert.match(await s.text(), /come back for review on that day/);
  assert.doesNotMatch(await s.text(), /right knee/);
  await s.close();
}

let record, batch;
await walks([
  ["pictures are filed", files], ["records at 1280", () => records(1280)], ["records at 390", () => records(390)], ["a file of events", () => imports(1280)], ["a file of events at 390", () => imports(390)],
  ["a merge at 1280", () => merges(1280)], ["a merge at 390", () => merges(390)],
  ["a death", async () => { record = await dies(); }], ["a hold at 1280", () => holds(1280)], ["its release", () => releases(1280)], ["a hold at 390", () => holds(390)],
  ["destruction", async () => { batch = await destroys(); }], ["the release at 390", () => releases(390)],
  ["others at 390", () => others(390, record, batch)], ["others at 1280", () => others(1280, record, batch)], ["a handover at 1280", () => handsOver(1280)], ["a handover at 390", () => handsOver(390)], ["without script", withoutScript],
]);
