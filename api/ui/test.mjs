// Runs src/*.test.ts with Node's own test runner.
import { build } from "esbuild";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const here = new URL(".", import.meta.url).pathname;
const tests = readdirSync(here + "src").filter((name) => name.endsWith(".test.ts"));
const to = mkdtempSync(join(tmpdir(), "wardseal-"));
try {
  await build({ absWorkingDir: here, entryPoints: tests.map((name) => "src/" + name), outdir: to, outExtension: { ".js": ".mjs" }, bundle: true, platform: "node", format: "esm", logLevel: "warning" });
  const { status } = spawnSync(process.execPath, ["--test", ...readdirSync(to).map((name) => join(to, name))], { stdio: "inherit", env: { ...process.env, MODULES: here + "node_modules" } });
  process.exitCode = status ?? 1;
} finally {
  rmSync(to, { recursive: true });
}
