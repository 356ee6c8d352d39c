import { byId, show } from "./small";
import { tr } from "./words";

/**
 * ticket puts the secret after the # of this page's address into its form.
 * Nothing is sent until somebody chooses a password.
 */
export function ticket(): void {
  const form = byId("ticket");
  if (!(form instanceof HTMLFormElement)) return;
  const field = form.elements.namedItem("secret") as HTMLInputElement;
  // The secret leaves the address at once, so that it is neither in the
  // history nor on the screen.
  const secret = location.hash.slice(1);
  if (secret) {
    field.value = secret;
    history.replaceState(null, "", "/password");
  }
  if (field.value) form.hidden = false;
  else show([{ field: "", text: tr("This address is not complete. Open it again, whole, as it was given to you.") }]);
}
