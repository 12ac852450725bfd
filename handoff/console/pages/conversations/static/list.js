// The list beside the open conversation.

import { focusOn } from "./acts.js";
import { composer } from "./boxes.js";
import { feature } from "../components/console.js";

function showOpen() {
  const open = document.querySelector("#conversation > article")?.id.replace("conversation-", "row-");
  for (const row of document.querySelectorAll("a.row")) {
    if (row.parentElement.id === open) row.setAttribute("aria-current", "page");
    else row.removeAttribute("aria-current");
  }
}

let waiting;

function announceQueue() {
  const tab = document.getElementById("tab-of-queue");
  if (!tab) return;
  const now = Number(tab.dataset.count);
  if (now > waiting) document.getElementById("announcement").textContent = `New in the queue. ${now} waiting.`;
  waiting = now;
}

/** Another list or conversation was opened while the answer was on its way. */
function stale(elt, path) {
  const of = path.match(/\/conversations\/(\d+)/)?.[1];
  if (of) return !elt.matches(".row") && !document.getElementById(`conversation-${of}`);
  return elt.matches(".listing") && !elt.isConnected;
}

feature({
  stale,
  acted(elt) {
    if (elt.matches(".row") && matchMedia("(pointer: fine)").matches) focusOn(composer()?.querySelector("textarea"));
  },
  refreshed() {
    showOpen();
    announceQueue();
  },
});
