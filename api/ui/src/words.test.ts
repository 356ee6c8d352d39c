import assert from "node:assert/strict";
import { test } from "node:test";

(globalThis as { wardsealWords?: unknown }).wardsealWords = {
  rule: "0".padEnd(2, "1").padEnd(3, "2").padEnd(200, "3"),
  said: { "Send": "Anfon", "Moved from {name}": "{name}: symudwyd", "{n} picture": ["dim llun", "un llun", "{n} lun", "{n} llun"], "Sent": "" },
};

test("the language of the page", async () => {
  const { tr, trn } = await import("./words");
  assert.equal(tr("Send"), "Anfon");
  assert.equal(tr("Moved from {name}", { name: "{name} $&" }), "{name} $&: symudwyd");
  assert.equal(tr("Not in the catalogue, {name}", { name: "A" }), "Not in the catalogue, A");
  assert.deepEqual([0, 1, 2, 5, 1000].map((n) => trn(n, "{n} picture", "{n} pictures")), ["dim llun", "un llun", "2 lun", "5 llun", "1000 llun"]);
  assert.deepEqual([0, 1, 2].map((n) => trn(n, "{n} link of {name}", "{n} links of {name}", { name: "A" })), ["0 links of A", "1 link of A", "2 links of A"]);
});
