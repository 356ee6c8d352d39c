// Builds dist/ from src/: one script and one style sheet for all pages, and
// what reads wristbands, which is loaded only for that. The result is
// committed, so that the server needs only Go; a test compares.
import { build } from "esbuild";
import { compile } from "sass";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";

const here = new URL(".", import.meta.url).pathname;
mkdirSync(here + "dist", { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: ["src/pages.ts", "src/scanner.ts"],
  outdir: "dist",
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  minify: true,
  legalComments: "none",
});
const { css } = compile(here + "src/pages.scss", { style: "compressed", loadPaths: [here + "node_modules"], quietDeps: true });
writeFileSync(here + "dist/pages.css", css + "\n");
for (const drawing of ["icon.svg", "waiting.svg"]) copyFileSync(here + "src/" + drawing, here + "dist/" + drawing);
copyFileSync(here + "node_modules/zxing-wasm/dist/reader/zxing_reader.wasm", here + "dist/zxing_reader.wasm");
