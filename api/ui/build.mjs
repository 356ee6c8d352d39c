// Builds dist/ from src/: one script and one style sheet for all pages, what
// the script loads only when it is needed (chunks), and the service worker.
// The result is committed, so that the server needs only Go; a test compares.
import { build } from "esbuild";
import { compile } from "sass";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";

const here = new URL(".", import.meta.url).pathname;
rmSync(here + "dist", { recursive: true, force: true }); // chunks of other builds
mkdirSync(here + "dist");
const common = { absWorkingDir: here, preserveSymlinks: true, outdir: "dist", bundle: true, format: "esm", target: "es2022", charset: "utf8", minify: true, legalComments: "none" };
await build({ ...common, entryPoints: ["src/pages.ts"], splitting: true, chunkNames: "chunk-[name]-[hash]" });
await build({ ...common, entryPoints: ["src/worker.ts"], format: "iife" });
const { css } = compile(here + "src/pages.scss", { style: "compressed", loadPaths: [here + "node_modules"], quietDeps: true });
writeFileSync(here + "dist/pages.css", css + "\n");
for (const drawing of ["icon.svg", "icon-192.png", "icon-512.png", "waiting.svg"]) copyFileSync(here + "src/" + drawing, here + "dist/" + drawing);
