// The agents' pages: what htmx cannot do by itself. This one wires the others.

import { acted, acting, failed, focusOn, showActs, startActs, tooSoon } from "./acts.js";
import { composer, fillBoxes, forget, startBoxes } from "./boxes.js";
import { tidyDrafts } from "./drafts.js";
import { showChosen, startFiles } from "./files.js";
import { guarding } from "./guard.js";
import { AGENT, h, ROOT } from "./keep.js";
import { keepingPlace, merge, remember } from "./merge.js";
import { startPresence } from "./presence.js";
import { flush, settle, showUnsent, standAside, startSending, wouldLose } from "./sending.js";
import { localize } from "./time.js";

document.addEventListener("keydown", (event) => {
  // While an input method composes, Enter chooses a word and Escape gives one up.
  if (event.isComposing || event.keyCode === 229 || !(event.target instanceof Element)) return;
  if (event.key === "Escape") event.target.closest(".changing")?.querySelector("[data-cancel]").click();
  if (event.key !== "Enter" || event.shiftKey || !event.target.matches(".composer textarea, .changing textarea")) return;
  event.preventDefault();
  if (event.repeat || tooSoon(event.target)) return;
  const { form, value } = event.target;
  if (value.trim() || form.querySelector(".chosen li")) form.requestSubmit();
});

document.addEventListener("click", (event) => {
  const dismiss = event.target.closest("[data-dismiss]");
  if (dismiss) {
    event.preventDefault();
    const box = dismiss.closest(".composer")?.querySelector("textarea");
    dismiss.closest(".alert, .quoting").remove();
    box?.focus({ preventScroll: true });
  }
  const quote = event.target.closest(".quote");
  const quoted = quote?.hash && document.querySelector(quote.hash);
  // Shown without an entry in the browser's history: going back leaves the conversation as before.
  if (quoted && quote.pathname === location.pathname) {
    event.preventDefault();
    quoted.scrollIntoView({ block: "center" });
    quoted.classList.remove("shown");
    requestAnimationFrame(() => quoted.classList.add("shown"));
  }
});

// --- htmx ---

/** The id of what failed last: the words about it stay until it works, whatever else works meanwhile. */
let troubled;
const SIGNED_OUT = "signed out";

function trouble(words, id) {
  document.getElementById("trouble").textContent = words;
  troubled = id;
}

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

function refreshed() {
  // Somebody else signed in, in another window: what is kept here is not theirs.
  const now = document.querySelector(".standing")?.dataset.agent;
  if (now && now !== AGENT) return location.reload();
  localize();
  fillBoxes();
  showChosen();
  showUnsent();
  showActs();
  showOpen();
  announceQueue();
}

/** Asks for the open conversation anew, where a message of this page is not to be seen in it yet. */
function refreshConversation() {
  const article = document.querySelector("#conversation > article");
  if (article && window.htmx) window.htmx.ajax("GET", article.getAttribute("hx-get"), { source: article, target: "#conversation", swap: "merge" });
}

/** After a request of `elt`, answered or not. */
function answered({ elt, successful }) {
  if (!successful) return failed(elt);
  flush();
  if ([elt.id, SIGNED_OUT].includes(troubled) || elt.matches(".row")) trouble("");
  acted(elt);
  if (elt.matches(".row") && matchMedia("(pointer: fine)").matches) focusOn(composer()?.querySelector("textarea"));
  if (elt.matches(".link-with")) {
    for (const element of document.querySelectorAll(".found > *")) element.remove();
    for (const box of document.querySelectorAll(".finder input[type=search]")) box.value = "";
    for (const finder of document.querySelectorAll(".finder")) finder.open = false;
  }
  if (elt.matches("[data-cancel]") || (elt.matches(".changing") && !elt.matches(".deleting"))) {
    forget(`edit-${elt.id.replace(/^\D+/, "")}`);
  }
  if (elt.matches("[data-opens], .changing, .changing *")) goOn(elt);
}

/** Where the keyboard is needed next: in what was opened, or back where it was opened from. */
function goOn(elt) {
  const id = elt.id.replace(/^\D+/, "");
  const message = document.getElementById(`m-${id}`);
  const box = elt.id.startsWith("quote-")
    ? document.querySelector(".composer textarea")
    : message?.querySelector(".changing textarea, .deleting [data-cancel], .tool");
  focusOn(box);
  if (elt.matches("[data-opens]")) box?.scrollIntoView({ block: "nearest" });
  if (box?.matches(".changing textarea")) box.setSelectionRange(box.value.length, box.value.length);
}

/** Shows what the server sent; what of it was under way stands there once, at every moment. Returns what is new. */
function put(target, fragment) {
  const added = merge(target, fragment);
  settle();
  return added;
}

function connect(htmx) {
  htmx.defineExtension("merge", {
    handleSwap: (style, target, fragment) => style === "merge" && guarding(() => keepingPlace(() => put(target, fragment))),

    // An update may remove a form while its request is on its way. Its events then reach nobody but the
    // extension, so whatever makes requests names the extension itself.
    onEvent(name, { detail }) {
      if (name === "htmx:afterRequest" && detail.elt === detail.requestConfig.elt) {
        answered(detail);
      } else if (name === "htmx:sendError" || name === "htmx:timeout") {
        trouble("The desk cannot be reached", detail.requestConfig.elt.id);
      } else if (name === "htmx:responseError" && detail.xhr.status >= 500) {
        trouble("The desk had a problem. Try again", detail.requestConfig.elt.id);
      }
    },
  });

  document.body.addEventListener("htmx:configRequest", ({ detail }) => {
    if (detail.verb === "get") return;
    document.querySelector(".alert:not(.told, .former)")?.remove();
    acting(detail.elt);
  });

  // Signed out, with files that only this page has: it stays, and its agent signs in beside it.
  document.body.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.status !== 401 || !wouldLose()) return;
    event.preventDefault();
    trouble("", SIGNED_OUT);
    const link = h("a", { href: `${ROOT}sign-in`, target: "_blank", rel: "noopener" }, "Sign in again");
    document.getElementById("trouble").replaceChildren("You are signed out. ", link);
  });

  document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const { elt, path } = detail.requestConfig;
    const of = path.match(/\/conversations\/(\d+)/)?.[1];
    // Another list or conversation was opened while this answer was on its way.
    const stale = of
      ? !elt.matches(".row") && !document.getElementById(`conversation-${of}`)
      : elt.matches(".listing") && !elt.isConnected;
    if (stale) detail.shouldSwap = false;
    // Saved or given up: the reply is shown again as it is.
    if (detail.xhr.status < 300) elt.closest("li[data-keep]")?.removeAttribute("data-keep");
  });

  document.body.addEventListener("htmx:afterSwap", refreshed);
  document.body.addEventListener("live:late", () => trouble("Reconnecting …"));
  document.body.addEventListener("live:back", () => trouble(""));
}

for (const container of document.querySelectorAll("[data-live]")) remember(container);
startBoxes({ aside: standAside });
startFiles();
startActs();
startPresence();
refreshed();
tidyDrafts();
if (window.htmx) startSending(refreshConversation);
setInterval(localize, 20_000);
if (window.htmx) connect(window.htmx);
