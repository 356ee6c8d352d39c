// Draws a wristband's code: band.mjs FILE TEXT FORMAT. MODULES is where the
// pages' packages are.
import { readFileSync, writeFileSync } from "node:fs";

const at = process.env.MODULES + "/zxing-wasm/dist/";
const { prepareZXingModule, writeBarcode } = await import(at + "es/writer/index.js");
prepareZXingModule({ overrides: { wasmBinary: readFileSync(at + "writer/zxing_writer.wasm").buffer } });
const [, , file, text, format] = process.argv;
const { image, error } = await writeBarcode(text, { format, scale: 6 });
if (error) throw new Error(error);
writeFileSync(file, Buffer.from(await image.arrayBuffer()));
