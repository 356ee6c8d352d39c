import assert from "node:assert/strict";
import { test } from "node:test";
import { differs, inside, right, say, spaced } from "./number";

test("numbers as they are typed", () => {
  assert.deepEqual(say("943 476 5919"), { digits: "9434765919", kind: "nhs" });
  assert.deepEqual(say("999-000-0018"), { digits: "9990000018", kind: "nhs" });
  assert.deepEqual(say("0211165794"), { digits: "0211165794", kind: "chi" }); // Modulus 11 only
  assert.deepEqual(say("0101201234"), { digits: "0101201234", kind: "chi" }); // Modulus 10 only
  assert.deepEqual(say(""), { digits: "" });
  assert.deepEqual(say("943476591"), { digits: "" });
  for (const [typed, problem] of [["9434765918", /check digit/], ["0101010000", /check digit/], ["3102201234", /check digit/], ["9999999999", /every digit is the same/], ["94347659190", /more than 10/], ["94347a5919", /digits only/]] as const) {
    assert.match(say(typed).problem ?? "", problem, typed);
    assert.equal(say(typed).kind, undefined, typed);
  }
});

test("every single slip in an NHS number is told", () => {
  const good = "9434765919";
  for (let i = 0; i < 10; i++) for (let d = 0; d < 10; d++) {
    const other = good.slice(0, i) + d + good.slice(i + 1);
    assert.equal(right("nhs", other), other === good, other);
  }
});

test("a CHI number against date of birth and sex", () => {
  const today = new Date(Date.UTC(2026, 10, 24));
  assert.deepEqual(inside("0211165794", today), { day: 2, month: 11, short: 16, sex: "male" }, "1916 or 2016 is not for us to guess");
  assert.deepEqual(inside("2411861234", today), { day: 24, month: 11, short: 86, sex: "male", year: 1986 });
  assert.deepEqual(inside("2511261214", today), { day: 25, month: 11, short: 26, sex: "male", year: 1926 }, "tomorrow nobody was born");
  assert.deepEqual(inside("2902001224", today), { day: 29, month: 2, short: 0, sex: "female", year: 2000 }, "1900 had no 29 February");
  const born = (day: string, month: string, year: string) => ({ day, month, year });
  assert.equal(differs("0211165794", born("2", "11", "1916"), "male"), undefined);
  assert.equal(differs("0211165794", born("02", "11", "2016"), ""), undefined);
  assert.equal(differs("0211165794", born("3", "", ""), ""), "date_of_birth");
  assert.equal(differs("0211165794", born("2", "1", ""), ""), undefined, "11 may be on its way");
  assert.equal(differs("0211165794", born("2", "12", ""), ""), "date_of_birth");
  assert.equal(differs("0211165794", born("2", "11", "19"), ""), undefined);
  assert.equal(differs("0211165794", born("2", "11", "1917"), ""), "date_of_birth");
  assert.equal(differs("0211165794", born("2", "11", "1916"), "female"), "sex");
});

test("groups", () => assert.equal(spaced("9990000018"), "999 000 0018"));
