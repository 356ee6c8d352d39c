import assert from "node:assert/strict";
import { test } from "node:test";
import { measure } from "./measure";

/** picture draws grey values. */
function picture(width: number, height: number, grey: (x: number, y: number) => number): [Uint8ClampedArray, number, number] {
  const out = new Uint8ClampedArray(4 * width * height);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out.set([grey(x, y), grey(x, y), grey(x, y), 255], 4 * (y * width + x));
  return [out, width, height];
}
const checks = (x: number, y: number) => (Math.floor(x / 8) + Math.floor(y / 8)) % 2 ? 200 : 40;
const wave = (x: number, y: number) => 120 + 80 * Math.sin(x / 40) * Math.sin(y / 40);

test("sharp, soft, dark and white", () => {
  assert.deepEqual(measure(...picture(640, 480, checks)).flags, []);
  assert.deepEqual(measure(...picture(640, 480, wave)).flags, ["blurred"]);
  assert.deepEqual(measure(...picture(640, 480, (_, y) => checks(0, y))).flags, ["blurred"], "shaken: sharp in one direction only");
  assert.deepEqual(measure(...picture(640, 480, (x, y) => checks(x, y) / 5)).flags, ["dark"], "dark is not blurred");
  assert.ok(measure(...picture(640, 480, () => 255)).flags.includes("overexposed"));
  assert.deepEqual(measure(...picture(640, 480, (x, y) => x < 160 && y < 160 ? checks(x, y) : 120)).flags, [], "a sharp wound before a soft ward is sharp");
});

test("a picture of any size is measured", () => {
  for (const [w, h] of [[1, 1], [2, 2], [3, 3], [1024, 1], [65, 65]] as const) assert.ok(measure(...picture(w, h, checks)).sharpness >= 0);
});
