// Time and language as the reader's own.

import { feature } from "./console.js";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const exact = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const languages = new Intl.DisplayNames(["en"], { type: "language" });

function elapsed(since) {
  const minutes = Math.max(0, Math.floor((Date.now() - since) / 60000));
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h`;
  return `${Math.floor(minutes / 60 / 24)} d`;
}

/** How long ago, as the sentence around it needs it: "since" and "for" a moment. */
function worded(time, ago) {
  if (time.hasAttribute("data-since")) return ago === "now" ? "just now" : `${ago} ago`;
  if (time.hasAttribute("data-for")) return ago === "now" ? "under 1 min" : ago;
  return ago;
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
