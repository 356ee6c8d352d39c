import { realDate, right, type Kind } from "./number";

/** What a wristband's code says of the patient. */
export interface Band {
  kind: Kind;
  digits: string;
  born?: { day: number; month: number; year: number };
}

// The separator of fields of variable length (FNC1).
const GS = "\u001d";

// The GS1 application identifiers that stand on wristbands, and the length of
// their content where it is fixed (GS1 General Specifications, figure 3.2-1).
const fixed: Record<string, number> = { "00": 18, "01": 14, "02": 14, "11": 6, "12": 6, "13": 6, "15": 6, "16": 6, "17": 6, "20": 2, "410": 13, "414": 13, "8017": 18, "8018": 18 };
const open = new Set(["10", "21", "22", "240", "241", "250", "254", "400", "8019", "8020", "90", "91", "92", "93", "94", "95", "96", "97", "98", "99"]);

/**
 * read finds the NHS or CHI number in the text of a scanned code: in a GS1
 * service relation number, as DCB1077 has it on wristbands in England, or as
 * plain digits. A text with two different numbers says nothing.
 */
export function read(text: string): Band | undefined {
  const plain = text.replace(/^\][A-Za-z]\d/, "").replace(/<GS>|\{GS\}|<FNC1>/gi, GS).trim();
  const marked = /^\](C1|d2|Q3|e0)/.test(text) || plain.includes(GS) || plain.startsWith("(") || /^801[78]\d{18}/.test(plain);
  const fields = marked ? bracketed(plain) ?? walked(plain) : undefined;
  if (!fields) return ofText(plain);
  // A code of GS1 about something else may hold ten digits by chance.
  const relation = fields.get("8018") ?? fields.get("8017");
  return relation === undefined ? undefined : ofRelation(relation, fields.get("93") ?? "");
}

/** bracketed reads the form that people read: (8018)505089899900000189(93)… */
function bracketed(text: string): Map<string, string> | undefined {
  if (!text.startsWith("(")) return undefined;
  const out = new Map<string, string>();
  for (const [, ai, content] of text.matchAll(/\((\d{2,4})\)([^(]*)/g)) out.set(ai ?? "", (content ?? "").replaceAll(GS, "").trim());
  return out.size ? out : undefined;
}

/** walked reads the fields as they are in the code. What it does not know all of is not GS1. */
function walked(text: string): Map<string, string> | undefined {
  const out = new Map<string, string>();
  for (let at = text.startsWith(GS) ? 1 : 0; at < text.length;) {
    const ai = [4, 3, 2].map((n) => text.slice(at, at + n)).find((a) => a in fixed || open.has(a));
    if (ai === undefined) return undefined;
    at += ai.length;
    const length = fixed[ai];
    const gs = text.indexOf(GS, at);
    const end = length !== undefined ? at + length : gs < 0 ? text.length : gs;
    const content = text.slice(at, end);
    if (content === "" || (length !== undefined && !(content.length === length && /^\d+$/.test(content)))) return undefined;
    out.set(ai, content);
    at = text[end] === GS ? end + 1 : end;
  }
  return out.size ? out : undefined;
}

/** ofRelation reads a service relation number: company prefix of 7 digits, the patient's number, check digit. */
function ofRelation(relation: string, person: string): Band | undefined {
  if (!/^\d{18}$/.test(relation)) return undefined;
  let sum = 0;
  for (let i = 0; i < 17; i++) sum += Number(relation[i]) * (i % 2 ? 1 : 3);
  if ((10 - sum % 10) % 10 !== Number(relation[17])) return undefined;
  const band = ofDigits(relation.slice(7, 17));
  const born = band && birth(person);
  return born ? { ...band, born } : band;
}

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/** birth finds the date of birth among a person's details: 18-Jan-1980. */
function birth(person: string): Band["born"] {
  const found = /(?<!\w)(\d{2})-([a-z]{3})-(\d{4})(?!\w)/i.exec(person);
  if (!found) return undefined;
  const day = Number(found[1]), month = months.indexOf((found[2] ?? "").toLowerCase()) + 1, year = Number(found[3]);
  return realDate(day, month, year) ? { day, month, year } : undefined;
}

function ofDigits(digits: string): Band | undefined {
  if (right("chi", digits)) return { kind: "chi", digits };
  return right("nhs", digits) ? { kind: "nhs", digits } : undefined;
}

/** ofText finds the one right number that stands by itself in a text. */
function ofText(text: string): Band | undefined {
  const found = new Map<string, Band>();
  for (const [run] of text.matchAll(/(?<![\d-])\d{3}[ -]?\d{3}[ -]?\d{4}(?![\d-])/g)) {
    const band = ofDigits(run.replace(/\D/g, ""));
    if (band) found.set(band.digits, band);
  }
  return found.size === 1 ? [...found.values()][0] : undefined;
}
