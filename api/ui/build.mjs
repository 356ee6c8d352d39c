// Builds dist/ from src/: one script and one style sheet for all pages; pieces
// of script that only some pages load, named by their hash; and what reads
// wristbands, a worker of its own. The result is committed, so that the server
// needs only Go; a test compares.
import { build } from "esbuild";
import { compile } from "sass";
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";

const here = new URL(".", import.meta.url).pathname;
mkdirSync(here + "dist", { recursive: true });
for (const old of readdirSync(here + "dist")) if (/-[A-Z0-9]{8}\.js$/.test(old)) rmSync(here + "dist/" + old);
const common = {
  absWorkingDir: here,
  outdir: "dist",
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  minify: true,
  preserveSymlinks: true, // the names of pieces go by the paths of what is in them
  legalComments: "eof",
};
await build({ ...common, entryPoints: ["src/pages.ts"], splitting: true, chunkNames: "[name]-[hash]" });
await build({ ...common, entryPoints: ["src/scanner.ts"] });
const { css } = compile(here + "src/pages.scss", { style: "compressed", loadPaths: [here + "node_modules"], quietDeps: true });
writeFileSync(here + "dist/pages.css", css + "\n");
for (const drawing of ["icon.svg", "waiting.svg"]) copyFileSync(here + "src/" + drawing, here + "dist/" + drawing);
copyFileSync(here + "node_modules/zxing-wasm/dist/reader/zxing_reader.wasm", here + "dist/zxing_reader.wasm");
