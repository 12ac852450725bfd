// Times in the reader's zone, and what depends on the language of the page.

import { feature } from "./console.js";
import { formats, say } from "./say.js";

const clock = new Intl.DateTimeFormat(formats, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(formats, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const exact = new Intl.DateTimeFormat(formats, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const full = new Intl.DateTimeFormat(formats, { dateStyle: "full", timeStyle: "medium" });
const languages = new Intl.DisplayNames(formats, { type: "language" });

const ago = new Intl.RelativeTimeFormat(formats, { style: "short" });
const long = Object.fromEntries(
  ["minute", "hour", "day"].map((unit) => [unit, new Intl.NumberFormat(formats, { style: "unit", unit })]),
);

function elapsed(since) {
  const minutes = Math.max(0, Math.floor((Date.now() - since) / 60000));
  if (minutes < 60) return [minutes, "minute"];
  return minutes < 48 * 60 ? [Math.floor(minutes / 60), "hour"] : [Math.floor(minutes / 60 / 24), "day"];
}

/** How long ago, as the sentence around it needs it: "since" and "for" a moment. */
function worded(time, [number, unit]) {
  if (time.hasAttribute("data-since")) return number ? ago.format(-number, unit) : say("time.just_now");
  if (number) return long[unit].format(number);
  return say(time.hasAttribute("data-for") ? "time.under_a_minute" : "time.now");
}

/** Minutes after which a wait is long, and too long. */
const [LONG, OVER] = [5, 15];

function levelOf(wait) {
  if (wait < LONG * 60000) return "short";
  return wait < OVER * 60000 ? "long" : "over";
}

function localize() {
  const today = new Date().toDateString();
  for (const time of document.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    let text;
    if (time.hasAttribute("data-second")) text = exact.format(at);
    else if (time.hasAttribute("data-time")) text = (at.toDateString() === today ? clock : day).format(at);
    else text = worded(time, elapsed(at));
    if (time.textContent !== text) time.textContent = text;
    const waits = time.closest(".waits");
    if (waits) waits.dataset.level = levelOf(Date.now() - at);
    if (!time.title) time.title = full.format(at);
  }
  for (const element of document.querySelectorAll("[data-language]")) {
    try {
      element.textContent = languages.of(element.dataset.language);
    } catch {
      // A platform's own idea of a language code is shown as it is.
    }
  }
}

feature({ start: () => setInterval(localize, 20_000), refreshed: () => localize() });
