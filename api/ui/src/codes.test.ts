import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { prepareZXingModule as readerOf, readBarcodes } from "zxing-wasm/reader";
import { prepareZXingModule as writerOf, writeBarcode, type WriteInputBarcodeFormat } from "zxing-wasm/writer";
import { options } from "./codes";
import { read } from "./wristband";

const wasm = (what: string): ArrayBuffer => new Uint8Array(readFileSync(`${process.env.MODULES}/zxing-wasm/dist/${what}/zxing_${what}.wasm`)).buffer;
readerOf({ overrides: { wasmBinary: wasm("reader") } });
writerOf({ overrides: { wasmBinary: wasm("writer") } });

const nhs = { kind: "nhs", digits: "9990000018" }, born = { day: 31, month: 1, year: 1950 };

for (const [format, text, want] of [
  ["QRCode", "9990000018", nhs],
  ["Code128", "9990000018", nhs],
  ["DataMatrix", "0211165794", { kind: "chi", digits: "0211165794" }],
  ["QRCode", "8018505089899900000183\u001d93SAMPLE,Test,31-Jan-1950", { ...nhs, born }],
  ["DataMatrix", "8018505089899900000183\u001d93SAMPLE,Test,31-Jan-1950", { ...nhs, born }],
  ["Code128", "8018505089899900000183", nhs],
] as const) test(`${format} of ${text.length} characters is drawn, read and understood`, async () => {
  const { image } = await writeBarcode(text, { format: format satisfies WriteInputBarcodeFormat, scale: 4 });
  assert.ok(image);
  const found = await readBarcodes(new Uint8Array(await image.arrayBuffer()), options);
  assert.deepEqual(found.map((f) => read(f.text)), [want]);
});

test("another kind of code is not looked for", async () => {
  const { image } = await writeBarcode("9990000018", { format: "Aztec", scale: 4 });
  assert.ok(image);
  assert.deepEqual(await readBarcodes(new Uint8Array(await image.arrayBuffer()), options), []);
});
