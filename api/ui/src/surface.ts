import type { Point, Size } from "./geometry";

/** What marks are drawn over: a picture or a video as it lies on the screen now. */
export interface Surface {
  /** What shows it, and takes the pointer and the keys. */
  readonly element: HTMLElement;
  /** The upright picture's own pixels. */
  readonly size: Size;
  /** From fractions of the picture to pixels of the element, and back. */
  project(p: Point): Point;
  unproject(p: Point): Point;
  /** Calls back whenever it lies otherwise. */
  moved(call: () => void): void;
  /** The moment of a film that is seen, in milliseconds. */
  readonly moment?: () => number;
  /** Stops a film, so that somebody can mark it. */
  hold?(): void;
  /** Turns it by a quarter, clockwise. */
  turn(): void;
  /** What the browser's filters work on. */
  readonly drawn: () => Iterable<HTMLElement>;
}

/** How many pixels of the screen one of a picture may take. */
export const closest = 12;

/** A surface that is looked at closely. */
export interface Closer extends Surface {
  /** Pixels of the screen for one of the picture. */
  readonly scale: number;
  zoomTo(scale: number): void;
  zoomBy(factor: number): void;
  /** Shows all of it. */
  fitAll(): void;
}
