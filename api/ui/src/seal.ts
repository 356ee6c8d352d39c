// Loaded when something is to be encrypted, and not before.
import { Encrypter } from "age-encryption";

/** seal encrypts a form to the server's intake, as a stream: the phone cannot read it back. */
export async function seal(form: FormData, recipient: string): Promise<Blob> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  const plain = new Response(form).body;
  if (!plain) throw new Error("a form without a body");
  return new Response(await encrypter.encrypt(plain)).blob();
}
