import assert from "node:assert/strict";
import { test } from "node:test";
import { read } from "./wristband";

const GS = "\u001d";
/** relation makes a service relation number with its check digit. */
function relation(digits: string): string {
  const body = "5050898" + digits;
  let sum = 0;
  for (let i = 0; i < 17; i++) sum += Number(body[i]) * (i % 2 ? 1 : 3);
  return body + (10 - sum % 10) % 10;
}

const nhs = { kind: "nhs", digits: "9990000018" }, chi = { kind: "chi", digits: "0211165794" };

test("plain digits", () => {
  assert.deepEqual(read("9990000018"), nhs);
  assert.deepEqual(read("999 000 0018"), nhs);
  assert.deepEqual(read("NHS No: 999-000-0018"), nhs);
  assert.deepEqual(read("0211165794"), chi);
  assert.deepEqual(read("4000000004"), { kind: "nhs", digits: "4000000004" }, "what starts like a field of GS1 is a number all the same");
});

test("GS1 as DCB1077 has it", () => {
  const born = { day: 18, month: 1, year: 1980 };
  assert.deepEqual(read("8018" + relation(nhs.digits)), nhs);
  assert.deepEqual(read("]d28018" + relation(nhs.digits) + "8019" + "1" + GS + "91RX1,123456" + GS + "93SAMPLE,Test,18-Jan-1980"), { ...nhs, born });
  assert.deepEqual(read(GS + "91RX1,7" + GS + "93SAMPLE,Test,18-JAN-1980" + GS + "8018" + relation(nhs.digits)), { ...nhs, born });
  assert.deepEqual(read("(8018)" + relation(nhs.digits) + "(93)SAMPLE,Test,18-Jan-1980"), { ...nhs, born });
  assert.deepEqual(read("(8018)" + relation(nhs.digits) + "(93)SAMPLE,Test,31-Feb-1980"), nhs, "no such day");
  assert.deepEqual(read("8017" + relation(chi.digits)), chi);
});

test("what is no patient, or not surely one, says nothing", () => {
  const wrong = relation(nhs.digits).replace(/.$/, (d) => String((Number(d) + 1) % 10));
  for (const text of [
    "", "hello", "9990000019", "9999999999", "99900000180", "12-9990000018", "9990000018 9434765919", // two patients
    "8018" + wrong, "(8018)" + wrong, "8018" + relation("9990000019"), "]C1" + "01" + "05012345678900" + "10" + "9990000018", // a batch of a drug
    "(01)05012345678900(21)9990000018", "8018999",
  ]) assert.equal(read(text), undefined, text);
});
