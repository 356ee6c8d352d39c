// The only place where text becomes a page or the address of a program: the
// policy of the pages (Trusted Types) has browsers refuse it everywhere else.

interface Policy { createHTML(s: string): string; createScriptURL(s: string): string }
interface Rules { createHTML?: (s: string) => string | null; createScriptURL?: (s: string) => string | null }
// Older browsers know nothing of it, and take the text as it is.
const types = (globalThis as { trustedTypes?: { createPolicy(name: string, rules: Rules): Policy } }).trustedTypes;

const rules = {
  createHTML: (s: string): string => s,
  createScriptURL: (s: string): string => {
    if (!s.startsWith("/") || new URL(s, location.origin).origin !== location.origin) throw new TypeError("a program from elsewhere");
    return s;
  },
};
const policy: Policy = types?.createPolicy("wardseal", rules) ?? rules;

// The stage of pictures empties elements with innerHTML = "". Nothing else passes.
types?.createPolicy("default", { createHTML: (s) => s === "" ? "" : null });

/** parsed reads a page that this site answered with. No script in it runs. */
export function parsed(page: string): Document { return new DOMParser().parseFromString(policy.createHTML(page), "text/html"); }

/** program is the address of a worker of this site. */
export function program(path: string): string { return policy.createScriptURL(path); }
