import assert from "node:assert/strict";
import test from "node:test";
import { areaIn, arrowHead, clock, fitted, frameLasts, held, inside, lengthIn, middle, millimetres, mmPerPixel, moved, rounded, simplified, span, square, turned, whole, within, type Point, type Quarter } from "./geometry";

const wide = { width: 400, height: 200 };
const near = (got: number, want: number, by = 1e-9): void => assert.ok(Math.abs(got - want) <= by, `${got} is not ${want}`);

test("distances go by pixels, not by fractions", () => {
  near(span([0, 0], [1, 0], wide), 400);
  near(span([0, 0], [0, 1], wide), 200);
  near(span([.1, .1], [.85, .6], wide), Math.hypot(300, 100));
});

test("a ruler gives lengths and areas in life", () => {
  const ruler = { from: [0, .5], to: [.25, .5], mm: 50 } as const; // 100 pixels are 50 mm
  near(mmPerPixel(ruler, wide), .5);
  near(lengthIn([0, 0], [0, 1], wide, ruler), 100);
  near(areaIn([[0, 0], [.5, 0], [.5, 1], [0, 1]], wide, ruler), 100 * 100);
  near(areaIn([[0, 1], [.5, 1], [.5, 0], [0, 0]], wide, ruler), 100 * 100);
  assert.ok(Number.isNaN(mmPerPixel({ from: [.5, .5], to: [.5, .5], mm: 10 }, wide)), "no ruler, no scale");
});

test("an area that is not a rectangle, and one of nothing", () => {
  near(inside([[0, 0], [1, 0], [0, 1]], wide), 400 * 200 / 2);
  near(inside([[0, 0], [1, 1]], wide), 0);
  near(inside([], wide), 0);
});

test("estimates are written with few digits", () => {
  assert.deepEqual([8.246, 41.96, 137.4].map(millimetres), ["8.25 mm", "42.0 mm", "137 mm"]);
  assert.deepEqual([12.34, 99.9, 100, 1234].map(square), ["12.3 mm²", "99.9 mm²", "1.00 cm²", "12.3 cm²"]);
});

test("a drawn line keeps its corners and loses the rest", () => {
  const line: Point[] = [];
  for (let i = 0; i <= 100; i++) line.push([i / 100, 0]);
  for (let i = 1; i <= 100; i++) line.push([1, i / 100]);
  assert.deepEqual(simplified(line, wide, 400), [[0, 0], [1, 0], [1, 1]]);
  const circle = Array.from({ length: 5000 }, (_, i): Point => [.5 + .5 * Math.cos(i / 796), .5 + .5 * Math.sin(i / 796)]);
  const thin = simplified(circle, { width: 4000, height: 4000 }, 60);
  assert.ok(thin.length <= 60 && thin.length > 12, `${thin.length} points`);
  near(inside(thin, wide) / inside(circle, wide), 1, .02);
});

test("points stay in the picture and short", () => {
  assert.deepEqual(within([-1, 2]), [0, 1]);
  assert.deepEqual(rounded([1 / 3, 2 / 3]), [.33333, .66667]);
  assert.deepEqual(middle([[0, 0], [1, .5]]), [.5, .25]);
});

test("an arrow's barbs lie behind its point", () => {
  for (const [x] of arrowHead([0, 0], [100, 0], 20)) assert.ok(x < 100 && x > 80);
});

test("a turned film fits its box, and a point goes there and back", () => {
  let turn: Quarter = 0;
  for (let i = 0; i < 4; i++, turn = turned(turn)) {
    const f = fitted(wide, { width: 300, height: 300 }, turn);
    near(f.width, 300);
    near(f.height, 150);
    const [x, y] = f.unproject(f.project([.2, .7]));
    near(x, .2);
    near(y, .7);
  }
  assert.equal(turn, 0);
  const [x, y] = fitted(wide, { width: 300, height: 300 }, 90).project([0, 0]); // the upper left goes to the upper right
  near(x, 225);
  near(y, 0);
});

test("closer, the point under a finger stays there, and no edge comes in", () => {
  const box = { width: 300, height: 300 };
  for (const turn of [0, 90, 180, 270] as const) {
    const at = fitted(wide, box, turn).project([.4, .4]);
    const view = moved(wide, box, turn, whole, at, [at[0] + 5, at[1]], 3);
    near(view.zoom, 3);
    const [x, y] = fitted(wide, box, turn, view).project([.4, .4]);
    near(x, at[0] + 5);
    near(y, at[1]);
    const corner = held(wide, box, turn, { zoom: 3, middle: [0, 0] });
    const edge = fitted(wide, box, turn, corner).project([0, 0]);
    assert.ok(edge.every((v) => Math.abs(v) < 1e-6 || Math.abs(v - 300) < 1e-6), `turned by ${turn}, its corner is at ${edge}`);
    assert.deepEqual(held(wide, box, turn, { zoom: 1, middle: [.2, .9] }).middle, [.5, .5]);
  }
});

test("the time of a frame, though some were left out", () => {
  near(frameLasts([0, .1, .2, .4, .5, .6, 5])!, .1, 1e-6);
  assert.equal(frameLasts([0, .1]), undefined);
  assert.equal(frameLasts([0, 0, 0, 0, 0]), undefined);
});

test("moments are written to the millisecond", () => {
  assert.deepEqual([0, 62.3449, 3599.9996].map(clock), ["0:00.000", "1:02.345", "60:00.000"]);
});
