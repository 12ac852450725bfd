// The list beside the open conversation.

import { focusOn } from "./acts.js";
import { composer } from "./boxes.js";
import { openedByKey } from "./hotkeys.js";
import { ask, feature } from "../components/console.js";
import { draftOf } from "./drafts.js";
import { say } from "../components/say.js";

function showOpen() {
  const open = document.querySelector("#conversation > article")?.id.replace("conversation-", "row-");
  for (const row of document.querySelectorAll("a.row")) {
    if (row.parentElement.id === open) row.setAttribute("aria-current", "page");
    else row.removeAttribute("aria-current");
  }
}

/** What is written and not sent, and what was read a moment ago, show at once. */
function showMarks() {
  for (const row of document.querySelectorAll("a.row")) {
    const mark = row.querySelector(".draft");
    if (mark) mark.hidden = !draftOf(row.parentElement.id.replace("row-", "")).words;
    if (!row.hasAttribute("aria-current") || document.hidden) continue;
    row.classList.remove("unread");
    row.querySelector(".news")?.remove();
  }
}

/** Of what lies before its agent the desk knows that they have seen it. */
function seen({ detail }) {
  if (detail.verb === "get" && !document.hidden) detail.headers["Switchboard-Visible"] = "yes";
}

let waiting;

function announceQueue() {
  const tab = document.getElementById("tab-of-queue");
  if (!tab) return;
  const now = Number(tab.dataset.count);
  if (now > waiting) document.getElementById("announcement").textContent = say("console.script.queue_news", { n: now });
  waiting = now;
}

/** Another list or conversation was opened while the answer was on its way. */
function stale(elt, path) {
  const of = path.match(/\/conversations\/(\d+)/)?.[1];
  if (of) return !elt.matches(".row") && !document.getElementById(`conversation-${of}`);
  return elt.matches(".listing") && !elt.isConnected;
}

feature({
  start() {
    document.body.addEventListener("htmx:configRequest", seen);
    document.addEventListener("input", ({ target }) => target.matches("textarea[data-draft]") && showMarks());
    document.addEventListener("visibilitychange", () => {
      const open = document.querySelector("#conversation > article");
      if (open && !document.hidden) ask(open);
    });
  },
  stale,
  acted(elt) {
    if (elt.matches(".row") && !openedByKey(elt) && matchMedia("(pointer: fine)").matches) {
      focusOn(composer()?.querySelector("textarea"));
    }
    // The list of views has closed behind it.
    if (elt.matches(".views-sheet *") && !elt.checkVisibility?.()) document.getElementById("views-button")?.focus();
  },
  refreshed() {
    showOpen();
    showMarks();
    announceQueue();
  },
});
