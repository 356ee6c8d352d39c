// What the viewer computes, apart from any page. Points are fractions of the
// upright picture's width and height, unless something else is said.

export type Point = readonly [x: number, y: number];

/** How large something is, in whatever unit. */
export interface Size { width: number; height: number }

/** Two points of a ruler, and how far apart they are in life. */
export interface Scale { from: Point; to: Point; mm: number }

const scaled = ([x, y]: Point, { width, height }: Size): Point => [x * width, y * height];

/** span is the distance of two points in a picture's pixels. */
export function span(a: Point, b: Point, size: Size): number {
  const [ax, ay] = scaled(a, size), [bx, by] = scaled(b, size);
  return Math.hypot(bx - ax, by - ay);
}

/** inside is the area within an outline, in square pixels, whichever way round it is drawn. */
export function inside(outline: readonly Point[], size: Size): number {
  let twice = 0;
  outline.forEach((p, i) => {
    const [ax, ay] = scaled(p, size), [bx, by] = scaled(outline[(i + 1) % outline.length] ?? p, size);
    twice += ax * by - bx * ay;
  });
  return Math.abs(twice) / 2;
}

/** mmPerPixel says how large a pixel is; NaN where the ruler's points coincide. */
export function mmPerPixel(scale: Scale, size: Size): number {
  const pixels = span(scale.from, scale.to, size);
  return pixels > 0 ? scale.mm / pixels : NaN;
}

/** lengthIn is a distance in millimetres. */
export const lengthIn = (a: Point, b: Point, size: Size, scale: Scale): number => span(a, b, size) * mmPerPixel(scale, size);

/** areaIn is an area in square millimetres. */
export const areaIn = (outline: readonly Point[], size: Size, scale: Scale): number => inside(outline, size) * mmPerPixel(scale, size) ** 2;

/** No more digits than an estimate has. */
const digits = (n: number): string => n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2);

/** millimetres writes a length: "8.25 mm", "42.0 mm". */
export const millimetres = (mm: number): string => digits(mm) + " mm";

/** square writes an area: square millimetres below one square centimetre. */
export const square = (mm2: number): string => mm2 < 100 ? digits(mm2) + " mm²" : digits(mm2 / 100) + " cm²";

/** middle is where to write something about points. */
export function middle(points: readonly Point[]): Point {
  const n = Math.max(points.length, 1);
  return [points.reduce((sum, p) => sum + p[0], 0) / n, points.reduce((sum, p) => sum + p[1], 0) / n];
}

/** within keeps a point in the picture. */
export const within = ([x, y]: Point): Point => [Math.min(Math.max(x, 0), 1), Math.min(Math.max(y, 0), 1)];

/** rounded keeps what is sent short: a hundred-thousandth is less than a pixel of any camera. */
export const rounded = ([x, y]: Point): Point => [Math.round(x * 1e5) / 1e5, Math.round(y * 1e5) / 1e5];

/**
 * simplified leaves out points that lie on the way between others (Douglas and
 * Peucker), coarser until no more than most are left. It works in pixels, so
 * that a long picture is not flattened.
 */
export function simplified(line: readonly Point[], size: Size, most: number): Point[] {
  for (let tolerance = .75; ; tolerance *= 1.6) {
    const out = thinned(line, size, tolerance);
    if (out.length <= most) return out;
  }
}

function thinned(line: readonly Point[], size: Size, tolerance: number): Point[] {
  const keep = new Set([0, line.length - 1]);
  const spans: [number, number][] = [[0, line.length - 1]];
  for (let next = spans.pop(); next; next = spans.pop()) {
    const [from, to] = next;
    let far = 0, at = -1;
    for (let i = from + 1; i < to; i++) {
      const d = offLine(line[i]!, line[from]!, line[to]!, size);
      if (d > far) [far, at] = [d, i];
    }
    if (at < 0 || far <= tolerance) continue;
    keep.add(at);
    spans.push([from, at], [at, to]);
  }
  return line.filter((_, i) => keep.has(i));
}

/** offLine is how far p is from the stretch between a and b, in pixels. */
function offLine(p: Point, a: Point, b: Point, size: Size): number {
  const [px, py] = scaled(p, size), [ax, ay] = scaled(a, size), [bx, by] = scaled(b, size);
  const dx = bx - ax, dy = by - ay, length = dx * dx + dy * dy;
  const t = length > 0 ? Math.min(Math.max(((px - ax) * dx + (py - ay) * dy) / length, 0), 1) : 0;
  return Math.hypot(px - ax - t * dx, py - ay - t * dy);
}

/** arrowHead gives the two ends of an arrow's barbs, in the unit of its points. */
export function arrowHead([ax, ay]: Point, [bx, by]: Point, length: number): [Point, Point] {
  const back = Math.atan2(ay - by, ax - bx);
  const barb = (turn: number): Point => [bx + length * Math.cos(back + turn), by + length * Math.sin(back + turn)];
  return [barb(.45), barb(-.45)];
}

/** Turns by quarters, clockwise. */
export type Quarter = 0 | 90 | 180 | 270;
export const turned = (by: Quarter): Quarter => ((by + 90) % 360) as Quarter;

/** What is looked at: how much closer than the whole, and which point lies in the middle. */
export interface View { zoom: number; middle: Point }

/** The whole. */
export const whole: View = { zoom: 1, middle: [.5, .5] };

/**
 * fitted is where something of a size lies in a box, turned: all of it in the
 * middle, or what a view says; project and unproject go between fractions of
 * it and points of the box.
 */
export function fitted(size: Size, box: Size, turn: Quarter, { zoom, middle: [mx, my] } = whole): { width: number; height: number; project: (p: Point) => Point; unproject: (p: Point) => Point } {
  const lies = turn % 180 === 90;
  const factor = Math.min(box.width / (lies ? size.height : size.width), box.height / (lies ? size.width : size.height)) * zoom;
  const width = size.width * factor, height = size.height * factor;
  const cos = [1, 0, -1, 0][turn / 90]!, sin = [0, 1, 0, -1][turn / 90]!;
  return {
    width, height,
    project: ([x, y]) => {
      const dx = (x - mx) * width, dy = (y - my) * height;
      return [box.width / 2 + dx * cos - dy * sin, box.height / 2 + dx * sin + dy * cos];
    },
    unproject: ([x, y]) => {
      const dx = x - box.width / 2, dy = y - box.height / 2;
      return [(dx * cos + dy * sin) / width + mx, (dy * cos - dx * sin) / height + my];
    },
  };
}

/** moved takes what lies at one point of the box to another, and closer by a factor. */
export function moved(size: Size, box: Size, turn: Quarter, view: View, from: Point, to: Point, by = 1): View {
  const at = fitted(size, box, turn, view).unproject(from), zoom = view.zoom * by;
  return { zoom, middle: fitted(size, box, turn, { zoom, middle: at }).unproject([box.width - to[0], box.height - to[1]]) };
}

/** held keeps a view on what there is to see: in the middle, or without an edge that comes in too far. */
export function held(size: Size, box: Size, turn: Quarter, { zoom, middle: [x, y] }: View): View {
  const { width, height } = fitted(size, box, turn, { zoom, middle: [.5, .5] }), lies = turn % 180 === 90;
  const hold = (at: number, long: number, room: number): number => long <= room ? .5 : Math.min(Math.max(at, room / long / 2), 1 - room / long / 2);
  return { zoom, middle: [hold(x, width, lies ? box.height : box.width), hold(y, height, lies ? box.width : box.height)] };
}

/**
 * frameLasts estimates how long a frame of a film is shown, in seconds, from
 * the times of frames as they were presented. Some are left out when a machine
 * is busy, so the middle of the gaps is taken. Undefined without enough.
 */
export function frameLasts(times: readonly number[]): number | undefined {
  const gaps = times.slice(1).map((t, i) => t - times[i]!).filter((gap) => gap > 1e-4 && gap < 1).sort((a, b) => a - b);
  return gaps.length >= 3 ? gaps[gaps.length >> 1] : undefined;
}

/** clock writes a moment of a film: 1:02.345. */
export function clock(seconds: number): string {
  const ms = Math.round(seconds * 1000);
  return Math.floor(ms / 60_000) + ":" + String(Math.floor(ms / 1000) % 60).padStart(2, "0") + "." + String(ms % 1000).padStart(3, "0");
}
