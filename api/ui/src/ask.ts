import { tr } from "./words";
/** What the API says of a request that it refuses (RFC 9457). */
export interface Problem {
  status: number;
  detail: string;
  code: string;
  field?: string;
}

/** asked turns an answer that is no problem document into one. */
export function asked(status: number, text: string): Problem {
  try {
    const p = JSON.parse(text) as Partial<Problem>;
    if (typeof p.detail === "string") return { status, detail: p.detail, code: p.code ?? "", ...(p.field ? { field: p.field } : {}) };
  } catch { /* said below */ }
  return { status, detail: tr("The server gave an answer that cannot be read. Try again."), code: "" };
}

/** ask calls the API and throws a Problem when it refuses. */
export async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  let response: Response;
  try {
    response = await fetch("/api/v1" + path, {
      method, credentials: "same-origin", cache: "no-store",
      ...(body === undefined ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
    });
  } catch {
    throw { status: 0, detail: tr("The server cannot be reached. Check your signal and try again; nothing is lost."), code: "" } satisfies Problem;
  }
  const text = await response.text();
  if (!response.ok) throw asked(response.status, text);
  return (text ? JSON.parse(text) : undefined) as T;
}
