import type { Kind } from "./number";
import type { Flag } from "./measure";

/** How a picture was taken, in the words of the API. */
export type Way = "camera" | "native" | "frame" | "file";

/** A patient who was found, and confirmed by who sends. */
export interface Patient {
  kind: Kind;
  number: string;
  name: string;
  born: string; // as people read it
}

/** One photo or video that is not filed yet. It is in this page's memory and nowhere else. */
export interface Shot {
  key: string; // its idempotency key
  file: Blob;
  url: string;
  video: boolean;
  way: Way;
  takenAt: Date | null; // null: the file says
  flags: Flag[];
  from?: string; // the patient it was moved from
  state: "ready" | "sending" | "failed";
  percent: number;
  why?: string; // it failed
}

/** What belongs to one patient: pictures, and what was entered about them. */
export interface Held {
  patient: Patient;
  entered: Record<string, string>; // every field, to go back to them
  shots: Shot[];
}

/** state is whose pictures are taken now, and whose wait. */
export const state: { patient: Patient | null; shots: Shot[]; waiting: Held[] } = { patient: null, shots: [], waiting: [] };

const listeners: (() => void)[] = [];

/** onChange calls draw whenever what is held changes. */
export function onChange(draw: () => void): void { listeners.push(draw); }

/** changed tells everybody who draws. */
export function changed(): void { for (const draw of listeners) draw(); }

/** drop forgets a picture for good. */
export function drop(shot: Shot): void {
  URL.revokeObjectURL(shot.url);
  state.shots = state.shots.filter((s) => s !== shot);
}

export const same = (a: Patient, b: Patient): boolean => a.kind === b.kind && a.number === b.number;

