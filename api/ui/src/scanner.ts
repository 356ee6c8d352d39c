// The worker that reads codes from pictures where the browser has no detector
// of its own. It is loaded when somebody presses Scan, and has a content
// security policy of its own, since it alone runs WebAssembly.
import { prepareZXingModule, readBarcodes } from "zxing-wasm/reader";
import { options } from "./codes";

const worker = self as unknown as { postMessage(message: unknown): void; onmessage: (event: MessageEvent<{ wasm: string } | { picture: ImageData }>) => void };

worker.onmessage = async ({ data }): Promise<void> => {
  if ("wasm" in data) {
    prepareZXingModule({ overrides: { locateFile: () => data.wasm } });
    return;
  }
  try {
    const found = await readBarcodes(data.picture, options);
    worker.postMessage(found.filter((f) => f.isValid).map((f) => f.text));
  } catch {
    worker.postMessage(null); // it cannot run here
  }
};
