import type { ReaderOptions } from "zxing-wasm/reader";

/** What is looked for in a picture of a wristband. Plain text keeps the separators between GS1 fields. */
export const options: ReaderOptions = { formats: ["QRCode", "DataMatrix", "Code128"], tryHarder: true, textMode: "Plain", maxNumberOfSymbols: 4 };
