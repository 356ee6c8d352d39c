// Walks of a consultant who looks closely: what is drawn, measured, marked,
// compared. The pictures are those of ruler_test.go.
import { readFileSync } from "node:fs";
import assert from "node:assert/strict";
import { Screen } from "./screen.mjs";

const whole = { width: 3000, height: 2000 };

/** looks: two pictures of one case, and all that is done with them, at one width. */
export async function looks(width, { EARLIER, LATER }) {
  const s = await Screen.open(width), p = s.page;
  await s.go("/pictures");
  await s.signIn("nurse");
  await p.waitForURL("**/pictures");
  const patient = await s.api("POST", "/patients/find", { patient_number_kind: "nhs", patient_number: "9990000018", date_of_birth: "1950-01-31" });
  const { teams: [team] } = await s.api("GET", "/session");
  const { id } = await s.api("POST", `/patients/${patient.id}/cases`, { team, title: "sacrum, " + width });
  await s.go("/cases/" + id);
  assert.match(await p.locator("main").innerText(), /no picture in this case yet[^]*send a picture/);
  await s.check("case-empty");
  const [first] = await file(s, width, EARLIER, { case: id, team, captured_at: "2026-10-01T09:00:00Z", body_site: "sacrum" });
  await s.go("/cases/" + id);
  assert.match(await p.locator("main").innerText(), /This is the first/);
  assert.equal(await p.locator("[name=item]").count(), 0, "nothing to compare with");
  await s.check("case-one");
  const [second] = await file(s, width, LATER, { case: id, team, captured_at: "2026-10-22T09:00:00Z", body_site: "sacrum" });

  await s.go("/pictures/" + first);
  await closely(s);
  await measures(s);
  await marks(s);
  await wholeScreen(s);
  await opened(width, s, first);
  await p.click("text=This case over time");
  await compares(s, first, second);
  await s.close();
}

/** file files a picture, and waits until it has a preview. */
async function file(s, width, name, details) {
  const p = s.page;
  const bytes = Buffer.concat([readFileSync(name), Buffer.from("tail " + width)]).toString("base64");
  const id = await p.evaluate(async ([bytes, details]) => {
    const form = new FormData();
    for (const [k, v] of Object.entries({ patient_number_kind: "nhs", patient_number: "9990000018", date_of_birth: "1950-01-31", consent: "A", ...details })) form.append(k, v);
    form.append("file", new Blob([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], { type: "image/jpeg" }), "IMG_0002.JPG");
    const r = await fetch("/api/v1/items", { method: "POST", body: form });
    const text = await r.text();
    if (!r.ok) throw new Error(text);
    return JSON.parse(text).item.id;
  }, [bytes, details]);
  for (let i = 0; (await s.api("GET", "/items/" + id)).deriving !== "done"; i++) {
    assert.ok(i < 300, "the preview is made");
    await p.waitForTimeout(200);
  }
  return [id];
}

/** at waits until the stage lies still at what is wanted. */
const at = (p, want, nth = 0) => p.waitForFunction(([want, nth]) => {
  const { scale, shows, turned } = document.querySelectorAll(".ws-viewer__window")[nth].dataset;
  const now = `${scale} ${shows} ${turned}`;
  const [before, times] = window["still" + nth] ?? [];
  window["still" + nth] = [now, before === now ? times + 1 : 0];
  return before === now && times >= 2 && (want.scale === undefined || Math.abs(scale - want.scale) < .002) && (!want.shows || shows === want.shows) && (want.turned === undefined || turned === want.turned) && Number(scale) > 0;
}, [want, nth], { polling: 150 });

/** spot is where a point of the upright picture lies on the screen, unturned and in the middle. */
async function spot(p, [x, y]) {
  const box = await p.locator(".ws-viewer__canvas").first().boundingBox();
  const scale = Number(await p.locator(".ws-viewer__window").first().getAttribute("data-scale"));
  return [box.x + box.width / 2 + (x - whole.width / 2) * scale, box.y + box.height / 2 + (y - whole.height / 2) * scale];
}

/** drawn gives the colours of the stage's canvas, at places from its middle. */
const drawn = (p, places, nth = 0) => p.evaluate(([places, nth]) => {
  const canvas = document.querySelectorAll(".ws-viewer__canvas")[nth].querySelector("canvas");
  const dense = canvas.width / canvas.clientWidth;
  const context = canvas.getContext("2d");
  return places.map(([x, y]) => [...context.getImageData(Math.round(canvas.width / 2 + x * dense), Math.round(canvas.height / 2 + y * dense), 1, 1).data].slice(0, 3));
}, [places, nth]);

const like = (got, want) => got.every((c, i) => Math.abs(c - want[i]) < 40);

/** closely: the preview first; dot for dot the original, as it was drawn; turned. */
async function closely(s) {
  const p = s.page;
  await at(p, { shows: "preview", turned: "0" });
  assert.match(await p.locator(".ws-watermark").first().textContent(), /Nadia Example.*\d+ \w+ 20\d\d, \d+:\d\d[ap]m/, "who looks, and when");
  const fit = Number(await p.locator(".ws-viewer__window").getAttribute("data-scale"));
  const corners = (turn) => [[-1400, -900, [255, 0, 0]], [1400, -900, [0, 255, 0]], [-1400, 900, [0, 0, 255]], [1400, 900, [0, 0, 0]]].map(([x, y, c]) => [turn ? [-y, x] : [x, y], c]);
  for (const [[x, y], want] of corners(false)) {
    const [got] = await drawn(p, [[x * fit, y * fit]]);
    assert.ok(like(got, want), `upright, the corner at ${x}, ${y} is ${got}`);
  }
  await s.check("look");
  await p.focus(".ws-viewer__canvas");
  await p.keyboard.press("1");
  await at(p, { scale: 1, shows: "original" });
  await p.waitForTimeout(400); // its tiles
  const places = [];
  for (let y = 0; y < 12; y++) for (let x = 0; x < 12; x++) places.push([1452 + 8 * x + 4 - 1500, 1100 + 8 * y + 4 - 1000]);
  const squares = await drawn(p, places);
  squares.forEach((got, i) => assert.ok(like(got, (i % 12 + Math.floor(i / 12)) % 2 ? [0, 0, 0] : [255, 255, 255]), `square ${i} is ${got}: it is not drawn dot for dot`));
  await s.check("look-full");
  await p.keyboard.press("0");
  await p.keyboard.press("r");
  await at(p, { turned: "90" });
  await p.keyboard.press("0");
  const stage = await p.locator(".ws-viewer__canvas").boundingBox();
  await at(p, { turned: "90", scale: Math.min(stage.width / whole.height, stage.height / whole.width) });
  const turned = Number(await p.locator(".ws-viewer__window").getAttribute("data-scale"));
  for (const [[x, y], want] of corners(true)) {
    const [got] = await drawn(p, [[x * turned, y * turned]]);
    assert.ok(like(got, want), `turned, the corner at ${x}, ${y} is ${got}`);
  }
  for (let i = 0; i < 3; i++) await p.click("[data-turn]");
  await at(p, { turned: "0" });
  await p.click("[data-zoom=fit]");
  await at(p, { scale: fit });

  // Light is for looking, and says so.
  await p.click("button:text-is('Light')");
  await p.click("button:text-is('Darker skin')");
  assert.match(await p.evaluate(() => document.querySelector(".ws-viewer__canvas canvas").style.filter), /url.*brightness.*contrast/);
  assert.match(await p.locator(".ws-viewer__badge").innerText(), /Light changed: Darker skin/);
  await s.check("look-light");
  await p.click("button:text-is('As taken')");
  assert.equal(await p.evaluate(() => document.querySelector(".ws-viewer__canvas canvas").style.filter), "");
  await p.click("button:text-is('Light')");

  // The wheel goes closer where it points.
  const [x, y] = await spot(p, [1500, 1000]);
  await p.mouse.move(x, y);
  await p.mouse.wheel(0, -300);
  await p.waitForFunction((fit) => Number(document.querySelector(".ws-viewer__window").dataset.scale) > fit * 1.1, fit);
  await p.click("[data-zoom=fit]");
  await at(p, { scale: fit });
}

const clicks = async (p, ...points) => { for (const point of points) await p.mouse.click(...await spot(p, point)); };
const number = (text, unit) => Number(new RegExp(`≈ ([\\d.]+) ${unit}`).exec(text)?.[1]);

/** measures by the ruler in the picture: within two in a hundred. */
async function measures(s) {
  const p = s.page;
  await p.click("button:text-is('Measure')");
  await p.click("[data-tool=distance]");
  assert.match(await p.locator(".ws-marks__said").innerText(), /Set the scale first/);
  await p.click("[data-tool=scale]");
  await p.locator(".ws-viewer__canvas").scrollIntoViewIfNeeded();
  await clicks(p, [500, 1000], [1500, 1000]);
  await p.fill("#ruler-mm", "a hand");
  await p.keyboard.press("Enter");
  assert.match(await p.locator(".ws-marks__said").innerText(), /as a number/);
  await p.fill("#ruler-mm", "100");
  await p.keyboard.press("Enter");
  await p.click("[data-tool=distance]");
  await clicks(p, [500, 1400], [2000, 1400]);
  const mm = number(await p.locator(".ws-marks__draft").innerText(), "mm");
  assert.ok(Math.abs(mm / 150 - 1) < .02, `150 mm measure as ${mm}`);
  await p.click("[data-tool=distance]"); // puts the pen down
  await p.click("[data-tool=area]");
  await clicks(p, [1800, 500], [2400, 500], [2400, 900], [1800, 900]);
  await p.click("button:text-is('Close the outline') >> visible=true");
  const text = await p.locator(".ws-marks__draft").innerText();
  assert.ok(Math.abs(number(text, "cm²") / 24 - 1) < .03, `24 cm² measure as ${text}`);
  assert.match(text, /an estimate[^]*an estimate/);
  await s.check("look-measured");
  await p.click("button:text-is('Measure')");
}

/** marks: by mouse and by keyboard; kept, shown, hidden, changed, removed. */
async function marks(s) {
  const p = s.page;
  await p.click("button:text-is('Mark')");
  await p.click("[data-tool=arrow]");
  await p.locator(".ws-viewer__canvas").scrollIntoViewIfNeeded();
  await p.mouse.move(...await spot(p, [1200, 300]));
  await p.mouse.down();
  await p.mouse.move(...await spot(p, [1500, 450]), { steps: 4 });
  await p.mouse.move(...await spot(p, [1790, 600]), { steps: 4 });
  await p.mouse.up();
  await p.click("[data-tool=text]");
  await clicks(p, [900, 1600]);
  await p.fill("#mark-text", "slough");
  await p.click("button:text-is('Add')");
  await p.click("[data-tool=outline]"); // by keyboard alone
  assert.ok(await p.evaluate(() => document.activeElement.classList.contains("ws-viewer__canvas")), "the stage has the keys");
  for (const key of ["ArrowLeft", "Enter", "ArrowUp", "ArrowUp", "Enter", "ArrowRight", "ArrowRight", "Enter", "ArrowDown", "Enter"]) await p.keyboard.press(key);
  await p.click("button:text-is('Close the outline') >> visible=true");
  await p.click("button:text-is('Note')");
  await p.fill("#mark-text", "smaller than last week");
  await p.click("button:text-is('Add')");
  assert.equal(await p.locator(".ws-marks__draft li").count(), 6, await p.locator(".ws-marks__draft").innerText());
  await s.check("look-marked");
  await p.click("[data-save]");
  await p.waitForSelector(".ws-marks__set");
  assert.equal(await p.locator(".ws-marks__draft").count(), 0);

  await p.reload();
  await p.waitForSelector(".ws-marks__set");
  const words = await p.locator(".ws-marks__set").innerText();
  for (const part of [/Nadia Example[^]*\d+ \w+ 20\d\d, \d+:\d\d[ap]m/, /Distance ≈ 1(4|5)\d mm, an estimate/, /Area ≈ 2\d\.\d cm²/, /Text: slough/, /Outline/, /Note: smaller than last week/]) assert.match(words, part);
  await at(p, { shows: "preview" });
  const paths = () => p.locator(".ws-overlay path").count();
  assert.ok(await paths() >= 10, "the marks are drawn");
  await p.uncheck(".ws-marks__box");
  assert.equal(await paths(), 0, "and can be put away");
  await p.check(".ws-marks__box");
  // The arrow is where it was drawn, though the stage is another.
  const tip = await p.evaluate(() => { const d = document.querySelector(".ws-overlay__line:not(.ws-overlay__ruler):not(.ws-overlay__area)"); return [...document.querySelectorAll(".ws-overlay__line")].map((e) => e.getAttribute("d")); });
  const [wantX, wantY] = await spot(p, [1790, 600]);
  const box = await p.locator(".ws-viewer__canvas").boundingBox();
  assert.ok(tip.some((d) => { const m = /^M[\d.-]+ [\d.-]+L([\d.-]+) ([\d.-]+)$/.exec(d); return m && Math.abs(Number(m[1]) + box.x - wantX) < 3 && Math.abs(Number(m[2]) + box.y - wantY) < 3; }), `no arrow to ${wantX - box.x}, ${wantY - box.y}: ${tip.join(" ")}`);
  await s.check("look-kept");
  await p.click(".ws-marks__set >> text=Change");
  await p.click("text=Take back the last");
  await p.click("[data-save]");
  await p.waitForSelector(".ws-marks__set:has-text('version 2')");
  assert.doesNotMatch(await p.locator(".ws-marks__set").innerText(), /smaller than last week/);
}

/** wholeScreen: the tools and the watermark come along. */
async function wholeScreen(s) {
  const p = s.page;
  await p.click("button:text-is('Full screen')");
  await p.waitForFunction(() => document.fullscreenElement?.classList.contains("ws-viewer__frame"));
  await at(p, {});
  const over = await p.evaluate(() => {
    const [w, v] = [".ws-watermark", ".ws-viewer__window"].map((q) => document.fullscreenElement.querySelector(q).getBoundingClientRect());
    return w.width >= v.width && w.height >= v.height && w.height > innerHeight / 3;
  });
  assert.ok(over, "the watermark lies over the whole screen");
  const mark = p.locator(".ws-watermark");
  const marked = await p.locator(".ws-viewer__window").screenshot();
  await mark.evaluate((e) => { e.style.display = "none"; });
  const bare = await p.locator(".ws-viewer__window").screenshot();
  await mark.evaluate((e) => { e.style.display = ""; });
  assert.ok(!marked.equals(bare), "a screenshot has the watermark in it");
  await p.click("button:text-is('Full screen')");
  await p.waitForFunction(() => !document.fullscreenElement);
}

/** opened: through a link the marks are seen and not made, and measuring keeps nothing. */
async function opened(width, nurse, item) {
  const { people } = await nurse.api("GET", "/people");
  const { url } = await nurse.api("POST", `/items/${item}/links`, { audience: { kind: "person", id: people.find((one) => one.name.startsWith("Colin")).id }, purpose: "advice" });
  const s = await Screen.open(width), p = s.page;
  await s.go("/pictures");
  await s.signIn("consultant");
  await p.waitForURL("**/pictures");
  const fetched = [];
  p.on("request", (r) => { if (r.url().includes("/renditions/")) fetched.push(r.url().split("/").pop()); });
  const grant = await s.api("POST", "/links/open", { secret: url.split("#")[1] });
  await s.go("/opened/" + grant.id);
  await p.waitForSelector(".ws-marks__set:has-text('version 2')");
  await at(p, { shows: "preview" });
  assert.deepEqual(fetched, ["preview"], "the picture is fetched once, and not as taken before somebody looks closer");
  assert.match(await p.locator(".ws-watermark").textContent(), /Colin Sample/);
  assert.ok(await p.locator(".ws-overlay path").count() > 5);
  assert.equal(await p.locator("button:text-is('Mark'), .ws-marks__set button").count(), 0);
  await p.click("button:text-is('Measure')");
  await p.click("[data-tool=distance]");
  await p.locator(".ws-viewer__canvas").scrollIntoViewIfNeeded();
  await clicks(p, [500, 1400], [2000, 1400]);
  const mm = number(await p.locator(".ws-marks__draft").innerText(), "mm");
  assert.ok(Math.abs(mm / 150 - 1) < .02, `by the nurse's ruler 150 mm measure as ${mm}`);
  assert.equal(await p.locator("[data-save]").count(), 0);
  await s.check("look-opened");
  await s.close();
}

/** looksAtFilm: a frame of a paused video is looked at closely, by mouse, keys and fingers, and compared with a picture. */
export async function looksAtFilm(s, picture) {
  const p = s.page, view = p.locator(".ws-viewer__window");
  const scale = () => view.getAttribute("data-scale").then(Number);
  const scaled = (want) => p.waitForFunction((want) => Math.abs(document.querySelector(".ws-viewer__window").dataset.scale / want - 1) < .01, want).catch(async () => assert.fail(`the scale is ${await scale()}, not ${want}`));
  const box = () => p.locator(".ws-viewer__window video").boundingBox();
  await p.click("button:text-is('Mark')"); // puts the pen down
  await view.scrollIntoViewIfNeeded();
  const fit = await scale();
  await p.click("button[aria-label='Zoom in']");
  await scaled(fit * 1.5);
  await view.focus();
  await p.keyboard.press("+");
  await scaled(fit * 2.25);
  const before = await box();
  await p.keyboard.press("ArrowRight");
  const after = await box(), room = await view.boundingBox();
  assert.ok(after.x < before.x - 10, "an arrow moves what is zoomed");
  for (let i = 0; i < 30; i++) await p.keyboard.press("ArrowRight");
  const edge = await box();
  assert.ok(Math.abs(edge.x + edge.width - room.x - room.width) < 2, "and not past its edge");
  await p.mouse.move(room.x + 50, room.y + 100);
  await p.mouse.down();
  await p.mouse.move(room.x + 90, room.y + 100, { steps: 3 });
  await p.mouse.up();
  assert.ok(Math.abs((await box()).x - edge.x - 40) < 2, "a drag moves it as far as the hand goes");
  await p.click("button:text-is('Light')");
  await p.fill("[id$=brightness]", "160");
  assert.match(await p.evaluate(() => document.querySelector("video").style.filter), /brightness\(160%\)/);
  await s.check("item-video-closer");
  await p.click("button:text-is('As taken')");
  await p.click("button:text-is('Light')");
  await view.scrollIntoViewIfNeeded();
  await view.focus();
  await p.keyboard.press("1");
  await scaled(1);
  await p.keyboard.press("0");
  await scaled(fit);
  const { x, y, width, height } = await view.boundingBox();
  await p.mouse.move(x + width / 4, y + height / 2);
  await p.mouse.wheel(0, -300);
  await scaled(fit * 1.25);
  await p.keyboard.press("0");
  await pinch(p, [x + width / 2, y + height / 2], 40, 120);
  await scaled(fit * 3);
  await p.click("[data-zoom=fit]");
  await scaled(fit);

  const item = new URL(p.url()).pathname.split("/").pop();
  const [other] = await file(s, "beside a film " + s.width, picture, { team: (await s.api("GET", "/session")).teams[0], body_site: "heel" });
  await p.click("text=This patient over time, to compare");
  await p.check(`#item-${item}`);
  await p.check(`#item-${other}`);
  await p.click("button:text-is('Compare')");
  await p.waitForURL("**/compare?*");
  await at(p, {}, 0);
  await at(p, {}, 1);
  assert.match(await p.locator("main").innerText(), /A video is compared by one of its frames/);
  const film = p.locator(".ws-compare__side").filter({ has: p.locator("video") }), nth = await film.locator("xpath=preceding-sibling::figure").count();
  const looked = () => film.locator("canvas").first().evaluate((c) => c.toDataURL());
  const first = await looked();
  await film.locator("[data-step='1']").click();
  await p.waitForFunction(([nth, first]) => document.querySelectorAll(".ws-compare__side")[nth].querySelector("canvas").toDataURL() !== first, [nth, first]);
  await at(p, {}, nth);
  const scales = () => p.evaluate(() => [...document.querySelectorAll(".ws-viewer__window")].map((w) => Number(w.dataset.scale)));
  const whole = await scales();
  await p.click("button[aria-label='Zoom in']");
  await at(p, { scale: whole[0] * 1.5 }, 0);
  await at(p, { scale: whole[1] * 1.5 }, 1);
  await film.locator("[data-step='1']").click();
  await p.waitForTimeout(600);
  await at(p, { scale: whole[nth] * 1.5 }, nth); // the next frame is looked at where the one before was
  await s.check("compare-film");
  await p.click("[data-over]");
  await at(p, {}, 0);
  await p.waitForTimeout(600);
  const laid = p.locator("canvas").first(), over = await laid.evaluate((c) => c.toDataURL());
  await film.locator("[data-step='1']").click();
  await p.waitForFunction((over) => document.querySelector("canvas").toDataURL() !== over, over);
  await s.check("compare-film-over");
}

/** pinch takes two fingers from so far apart to so far apart. */
async function pinch(p, [x, y], from, to) {
  const cdp = await p.context().newCDPSession(p);
  const fingers = (apart) => [{ x: x - apart / 2, y, id: 1 }, { x: x + apart / 2, y, id: 2 }];
  await cdp.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: fingers(from) });
  for (let i = 1; i <= 8; i++) await cdp.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: fingers(from + (to - from) * i / 8) });
  await cdp.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  await cdp.detach();
}

/** compares: chosen on the timeline, moved together, laid over. */
async function compares(s, first, second) {
  const p = s.page;
  assert.match(await p.locator(".ws-timeline").innerText(), /22 October 2026, 10:00am taken[^]*1 October 2026, 10:00am taken/);
  await s.check("case");
  await p.check(`#item-${first}`);
  s.expected = [422];
  await p.click("button:text-is('Compare')");
  await p.waitForSelector("#item-error");
  assert.ok(await p.isChecked(`#item-${first}`), "the choice is kept");
  await s.check("compare-missing");
  await p.check(`#item-${second}`);
  await p.click("button:text-is('Compare')");
  await p.waitForURL("**/compare?*");
  assert.match(await p.locator(".ws-compare").innerText(), /1 October 2026[^]*22 October 2026/, "the older comes first");
  await at(p, {}, 0);
  await at(p, {}, 1);
  await s.check("compare");
  assert.equal(await p.locator(".ws-watermark").count(), 2);
  const scales = () => p.evaluate(() => [...document.querySelectorAll(".ws-viewer__window")].map((w) => Number(w.dataset.scale)));
  const [fit] = await scales();
  await p.click("button[aria-label='Zoom in']");
  await p.click("button[aria-label='Zoom in']");
  await at(p, { scale: fit * 2.25 }, 1);
  await p.locator(".ws-viewer__canvas").nth(1).focus();
  await p.keyboard.press("-");
  await at(p, { scale: fit * 1.5 }, 0);
  await p.click("[data-linked]");
  await p.click("button[aria-label='Zoom in']");
  await at(p, { scale: fit * 2.25 }, 0);
  await at(p, { scale: fit * 1.5 }, 1);
  await p.click("[data-linked]");
  await p.click("[data-zoom=fit]");
  await at(p, { scale: fit }, 1);

  // In the second, half of the wound has healed: laid over, the slider goes from one to the other.
  await p.click("[data-over]");
  await at(p, {}, 0);
  const healed = async () => {
    await p.waitForTimeout(500);
    const scale = (await scales())[0];
    const [[red]] = await drawn(p, [[(2300 - 1500) * scale, (700 - 1000) * scale]]);
    return red;
  };
  const set = (v) => p.locator("#compare-opacity").evaluate((e, v) => { e.value = v; e.dispatchEvent(new Event("input")); }, v);
  await set("0");
  const older = await healed();
  await set("100");
  const newer = await healed();
  await set("50");
  const between = await healed();
  assert.ok(older < 120 && newer > 150 && between > older + 15 && between < newer - 15, `${older}, ${between}, ${newer}`);
  await s.check("compare-over");
  await p.click("[data-over]");
  assert.equal(await p.locator(".ws-viewer__window:visible").count(), 2);
}
