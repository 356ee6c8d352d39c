import { $, ask, problem, say, signIn } from "/session.js";

// The secret is taken out of the address at once, so that it is neither in the
// history nor on the screen.
const secret = location.hash.slice(1);
history.replaceState(null, "", "/l");

if (!secret) say("problem", "This link is not complete. Copy the whole link, or ask whoever sent it for a new one.");
else signIn(async () => {
  try {
    const link = await ask("POST", "/links/visit", { secret });
    $("purpose").textContent = "For: " + link.purpose;
    $("terms").textContent = "It ends at " + new Date(link.expires_at).toLocaleString("en-GB") + ". Opening it is recorded with your name.";
  } catch (error) { $("inside").hidden = true; problem(error); }
});

$("open").addEventListener("click", async () => {
  $("open").disabled = true;
  try {
    const grant = await ask("POST", "/links/open", { secret });
    const address = "/api/v1/grants/" + grant.id + "/renditions/original-clean";
    const head = await fetch(address, { method: "HEAD", credentials: "same-origin" });
    const video = (head.headers.get("Content-Type") || "").startsWith("video/");
    const shown = document.createElement(video ? "video" : "img");
    if (video) shown.controls = true; else shown.alt = "Clinical picture";
    shown.addEventListener("error", () => say("problem", "The picture could not be shown. It may have ended; ask for a new link."));
    shown.src = address;
    $("picture").replaceChildren(shown);
    $("open").hidden = true;
    $("terms").textContent = "Shown until " + new Date(grant.expires_at).toLocaleTimeString("en-GB") + ".";
  } catch (error) { $("open").disabled = false; problem(error); }
});
