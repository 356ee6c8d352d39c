/** What a picture looks like, by the same measures as the server's (docs/decisions/0007). */
export interface Quality {
  sharpness: number;
  white: number; // share of white pixels
  flags: Flag[];
}

export type Flag = "blurred" | "dark" | "overexposed";

/** The longer edge at which pictures are measured; none is enlarged. */
export const measureEdge = 1024;

const tileEdge = 64, sharpEnough = 15, whiteLevel = 250, darkLevel = 60, whiteTooMuch = .4;

/** measure takes the pixels (red, green, blue, opacity) of a picture brought to measureEdge. */
export function measure(pixels: Uint8ClampedArray, width: number, height: number): Quality {
  const all = width * height, luma = new Uint8Array(all), histogram = new Array<number>(256).fill(0);
  let white = 0, below = 0;
  for (let i = 0; i < all; i++) {
    const r = pixels[4 * i]!, g = pixels[4 * i + 1]!, b = pixels[4 * i + 2]!;
    const v = Math.floor((299 * r + 587 * g + 114 * b + 500) / 1000);
    luma[i] = v;
    histogram[v]!++;
    if (Math.min(r, g, b) >= whiteLevel) white++;
    if (v < darkLevel) below++;
  }
  const gain = contrast(histogram, all);
  const sharpness = Math.round(sharpest(luma, width, height) * gain * gain * 10) / 10;
  const flags: Flag[] = [];
  if (sharpness < sharpEnough) flags.push("blurred");
  if (below > .9 * all) flags.push("dark");
  if (white > whiteTooMuch * all) flags.push("overexposed");
  return { sharpness, white: white / all, flags };
}

/** contrast gives by how much the luma could be spread, up to 4: a dark picture's edges are small numbers, and none the less sharp. */
function contrast(histogram: number[], all: number): number {
  const edge = (share: number): number => {
    let n = 0;
    const at = histogram.findIndex((k) => (n += k) >= share * all);
    return at < 0 ? 255 : at;
  };
  return Math.min(4, Math.max(1, 255 / Math.max(1, edge(.99) - edge(.01))));
}

/**
 * sharpest is the variance of the second difference that a tenth of the tiles reach: a wound in focus before a blurred ward is sharp.
 * Of four directions the softest counts: a shaken picture is sharp across the shake.
 */
function sharpest(luma: Uint8Array, w: number, h: number): number {
  const steps = [1, w, w + 1, w - 1];
  const tiles: number[][] = steps.map(() => []);
  for (let y0 = 1; y0 < h - 1; y0 += tileEdge) {
    for (let x0 = 1; x0 < w - 1; x0 += tileEdge) {
      const x1 = Math.min(x0 + tileEdge, w - 1), y1 = Math.min(y0 + tileEdge, h - 1), n = (x1 - x0) * (y1 - y0);
      if (tiles[0]!.length && n < tileEdge * tileEdge / 4) continue; // a sliver at the edge says little
      steps.forEach((step, k) => {
        let sum = 0, squares = 0;
        for (let y = y0; y < y1; y++) {
          for (let i = y * w + x0; i < y * w + x1; i++) {
            const d = 2 * luma[i]! - luma[i - step]! - luma[i + step]!;
            sum += d; squares += d * d;
          }
        }
        tiles[k]!.push(squares / n - (sum / n) ** 2);
      });
    }
  }
  return Math.min(...tiles.map((all) => all.sort((a, b) => a - b)[all.length - 1 - Math.floor(all.length / 10)] ?? 0));
}
