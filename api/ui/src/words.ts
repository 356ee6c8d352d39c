// What the pages' script says, in the language of the page. The English sentence
// is the key; a page in another language runs a script before this one that
// sets what follows. English has none.
interface Said { rule: string; said: Record<string, string | string[]> }
const { rule, said }: Said = (globalThis as { wardsealWords?: Said }).wardsealWords ?? { rule: "", said: {} };

type Gaps = Record<string, string | number>;
const fill = (form: string, gaps: Gaps): string => form.replace(/\{(\w+)\}/g, (_, name: string) => String(gaps[name] ?? ""));

/** tr says a sentence, and fills its gaps: tr("Moved from {name}", { name }). */
export const tr = (english: string, gaps: Gaps = {}): string => {
  const form = said[english];
  return fill(typeof form === "string" ? form : english, gaps);
};

/** trn says how many: trn(n, "{n} picture", "{n} pictures"). */
export const trn = (n: number, one: string, many: string, gaps: Gaps = {}): string => {
  const forms = said[one], form = Array.isArray(forms) ? forms[Number(rule[n < rule.length ? n : 100 + n % 100])] : undefined;
  return fill(form ?? (n === 1 ? one : many), { n, ...gaps });
};

/** language is that of the page, to write dates in. */
export const language = (): string => document.documentElement.lang || "en-GB";
