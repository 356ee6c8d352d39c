// Builds dist/ from src/: one script and one style sheet for all pages, and
// pieces of script that only pages with a picture load, named by their hash.
// The result is committed, so that the server needs only Go; a test compares.
import { build } from "esbuild";
import { compile } from "sass";
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";

const here = new URL(".", import.meta.url).pathname;
mkdirSync(here + "dist", { recursive: true });
for (const old of readdirSync(here + "dist")) if (/-[A-Z0-9]{8}\.js$/.test(old)) rmSync(here + "dist/" + old);
await build({
  absWorkingDir: here,
  entryPoints: ["src/pages.ts"],
  outdir: "dist",
  splitting: true,
  chunkNames: "[name]-[hash]",
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  minify: true,
  preserveSymlinks: true, // the names of pieces go by the paths of what is in them
  legalComments: "eof",
});
const { css } = compile(here + "src/pages.scss", { style: "compressed", loadPaths: [here + "node_modules"], quietDeps: true });
writeFileSync(here + "dist/pages.css", css + "\n");
for (const drawing of ["icon.svg", "waiting.svg"]) copyFileSync(here + "src/" + drawing, here + "dist/" + drawing);
