import { tr } from "./words";
/** The two national schemes of patient numbers. */
export type Kind = "nhs" | "chi";

/** called is what people call a kind of number. */
export const called = (kind: Kind): string => kind === "chi" ? tr("CHI") : tr("NHS");

/** What a number says while it is being typed. */
export interface Said {
  digits: string; // ten, when the number can be right
  kind?: Kind; // when it is right
  problem?: string; // when it cannot become right
}

/** digitsOf leaves out the spaces and hyphens that people write. */
export const digitsOf = (typed: string): string => typed.replace(/[\s-]/g, "");

/** spaced writes a number in its usual groups: 999 000 0018. */
export const spaced = (digits: string): string => digits.replace(/^(\d{3})(\d{3})(\d{4})$/, "$1 $2 $3");

/** modulus11 is the check of the NHS Data Dictionary: weights 10 to 2; a remainder that would need the digit 10 is invalid. */
function modulus11(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < 9; i++) sum += Number(digits[i]) * (10 - i);
  const check = (11 - sum % 11) % 11;
  return check !== 10 && check === Number(digits[9]);
}

/** luhn is the Modulus 10 check, which CHI numbers may have since February 2026. */
function luhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < 10; i++) {
    let d = Number(digits[9 - i]);
    if (i % 2 === 1 && (d *= 2) > 9) d -= 9;
    sum += d;
  }
  return sum % 10 === 0;
}

/** Whether day, month and year are a real date. */
export function realDate(day: number, month: number, year: number): boolean {
  const date = new Date(Date.UTC(2000, 0, 1));
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

/** dated reports whether ten digits start with a date of birth, DDMMYY, in either century. */
function dated(digits: string): boolean {
  const day = Number(digits.slice(0, 2)), month = Number(digits.slice(2, 4)), year = Number(digits.slice(4, 6));
  return realDate(day, month, 1900 + year) || realDate(day, month, 2000 + year);
}

const oneDigit = (digits: string): boolean => /^(\d)\1{9}$/.test(digits);

/** right reports whether ten digits are a number of a kind. The server decides; this tells it sooner. */
export function right(kind: Kind, digits: string): boolean {
  if (!/^\d{10}$/.test(digits) || oneDigit(digits)) return false;
  return kind === "nhs" ? modulus11(digits) : dated(digits) && (modulus11(digits) || luhn(digits));
}

/**
 * say tells what a number is as far as it is typed. The kinds do not overlap:
 * NHS numbers do not start with a day of the month (those from 010 101 0000
 * to 311 299 9999 are Scotland's), so a right number that does is a CHI number.
 */
export function say(typed: string): Said {
  const digits = digitsOf(typed);
  if (/\D/.test(digits)) return { digits: "", problem: tr("A patient number has digits only.") };
  if (digits.length > 10) return { digits: "", problem: tr("That is more than 10 digits.") };
  if (digits.length < 10) return { digits: "" };
  if (oneDigit(digits)) return { digits, problem: tr("This is not a real patient number: every digit is the same.") };
  if (right("chi", digits)) return { digits, kind: "chi" };
  if (right("nhs", digits)) return { digits, kind: "nhs" };
  return { digits, problem: tr("One digit is mistyped: the check digit does not match. Compare it with the wristband.") };
}

/** Who a CHI number says it is of. Its year has two digits. */
export interface Inside {
  day: number;
  month: number;
  year?: number; // when only one century is possible
  short: number;
  sex: "female" | "male";
}

/** inside reads a right CHI number. Nobody is older than 125. */
export function inside(digits: string, today = new Date()): Inside {
  const day = Number(digits.slice(0, 2)), month = Number(digits.slice(2, 4)), short = Number(digits.slice(4, 6));
  const years = [1900 + short, 2000 + short].filter((y) => realDate(day, month, y) && Date.UTC(y, month - 1, day) <= today.getTime() && y >= today.getFullYear() - 125);
  const [only, other] = years;
  return { day, month, short, sex: Number(digits[8]) % 2 ? "male" : "female", ...(only !== undefined && other === undefined ? { year: only } : {}) };
}

/** differs tells what of a date of birth and sex does not match a CHI number; what is not typed yet is not compared. */
export function differs(digits: string, born: { day: string; month: string; year: string }, sex: string): "date_of_birth" | "sex" | undefined {
  const own = inside(digits);
  if (born.day && Number(born.day) !== own.day && !(born.day.length < 2 && own.day >= 10)) return "date_of_birth";
  if (born.month && Number(born.month) !== own.month && !(born.month.length < 2 && own.month >= 10)) return "date_of_birth";
  if (born.year.length === 4 && Number(born.year) % 100 !== own.short) return "date_of_birth";
  return sex && sex !== own.sex ? "sex" : undefined;
}
