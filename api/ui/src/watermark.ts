import { language } from "./words";
/**
 * watermarks keeps the time that stands over pictures right, on the server's
 * clock: a screenshot says when it was made.
 */
export function watermarks(): void {
  const first = document.querySelector<SVGElement>(".ws-watermark[data-at]");
  if (!first) return;
  const ahead = Date.parse(first.dataset.at ?? "") - Date.now();
  if (Number.isNaN(ahead)) return;
  const words = new Intl.DateTimeFormat(language(), { timeZone: "Europe/London", day: "numeric", month: "long", year: "numeric", hour: "numeric", minute: "2-digit", hour12: true });
  const tick = (): void => {
    const part = Object.fromEntries(words.formatToParts(Date.now() + ahead).map(({ type, value }) => [type, value]));
    const text = `${part.day} ${part.month} ${part.year}, ${part.hour}:${part.minute}${part.dayPeriod?.toLowerCase()}`;
    for (const place of document.querySelectorAll(".ws-watermark [data-moment]")) if (place.textContent !== text) place.textContent = text;
  };
  setInterval(tick, 10_000);
}
