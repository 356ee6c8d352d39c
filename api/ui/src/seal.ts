// Loaded when something is to be encrypted, and not before.
import { Encrypter } from "age-encryption";

const PIECE = 4 << 20;

/** multipart is the body that a browser would send of a form (RFC 7578), without reading the file in it. */
function multipart(form: FormData): Blob {
  const boundary = "wardseal-" + crypto.randomUUID(), parts: (string | Blob)[] = [];
  for (const [name, value] of form) {
    parts.push(`--${boundary}\r\nContent-Disposition: form-data; name="${name.replace(/["\r\n]/g, "")}"${typeof value === "string" ? "" : '; filename="file"'}\r\n\r\n`, value, "\r\n");
  }
  return new Blob([...parts, `--${boundary}--\r\n`]);
}

/**
 * seal encrypts a form to the server's intake, so that the phone cannot read
 * it back. It goes piece by piece, each handed to the browser, which may put
 * it on disk: a long video is never in memory as a whole.
 */
export async function seal(form: FormData, recipient: string, told: (done: number) => void = () => undefined): Promise<Blob> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  const sealed = (await encrypter.encrypt(multipart(form).stream())).getReader();
  const pieces: Blob[] = [];
  let chunks: Uint8Array<ArrayBuffer>[] = [], size = 0, done = 0;
  for (;;) {
    const next = await sealed.read();
    if (next.value) {
      chunks.push(next.value as Uint8Array<ArrayBuffer>);
      size += next.value.length;
    }
    if (size < PIECE && !next.done) continue;
    pieces.push(new Blob(chunks));
    done += size;
    chunks = [];
    size = 0;
    if (next.done) return new Blob(pieces, { type: "application/octet-stream" });
    told(done);
    await new Promise((go) => setTimeout(go)); // the page stays alive
  }
}
