// Passkeys: a form carries what the server asks, and what the device answers.
import { tr } from "./words";

const bytes = (text: string) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer: ArrayBuffer | null) => buffer && btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

interface Named { id: string; type: "public-key"; transports?: AuthenticatorTransport[] }
const named = (list: Named[] | undefined) => list?.map((c) => ({ ...c, id: bytes(c.id) }));

/** make has the device make a passkey, and gives what the server checks. */
async function make(options: any): Promise<unknown> {
  const made = await navigator.credentials.create({ publicKey: {
    ...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) }, excludeCredentials: named(options.excludeCredentials),
  } }) as PublicKeyCredential;
  const answer = made.response as AuthenticatorAttestationResponse;
  return { id: made.id, rawId: text(made.rawId), type: made.type, clientExtensionResults: {},
    response: { clientDataJSON: text(answer.clientDataJSON), attestationObject: text(answer.attestationObject), transports: answer.getTransports?.() ?? [] } };
}

/** use has the device answer with a passkey that it has. */
async function use(options: any): Promise<unknown> {
  const used = await navigator.credentials.get({ publicKey: { ...options, challenge: bytes(options.challenge), allowCredentials: named(options.allowCredentials) } }) as PublicKeyCredential;
  const answer = used.response as AuthenticatorAssertionResponse;
  return { id: used.id, rawId: text(used.rawId), type: used.type, clientExtensionResults: {},
    response: { clientDataJSON: text(answer.clientDataJSON), authenticatorData: text(answer.authenticatorData), signature: text(answer.signature), userHandle: text(answer.userHandle) } };
}

/** passkeys makes the forms work that need a passkey, where this browser has them. */
export function passkeys(): void {
  if (!("PublicKeyCredential" in window)) {
    for (const form of document.querySelectorAll<HTMLFormElement>("[data-needs-passkeys]")) form.hidden = true;
    return;
  }
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-passkey]")) {
    form.hidden = false;
    const said = form.querySelector<HTMLElement>("[data-passkey-says]")!;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      said.textContent = tr("Follow what your device asks…");
      try {
        const options = JSON.parse(form.dataset.passkey!);
        const answer = "passkeyMake" in form.dataset ? await make(options) : await use(options);
        form.querySelector<HTMLInputElement>("input[name=answer]")!.value = JSON.stringify(answer);
        form.submit();
      } catch {
        said.textContent = tr("That did not work, or was called off. Try again, or use a code.");
      }
    });
  }
}
