// The agents' pages: what htmx cannot do by itself. Features of the pages register themselves here.

import { guarding } from "./guard.js";
import { h } from "./element.js";
import { AGENT, ROOT } from "./keep.js";
import { keepingPlace, merge, release, remember } from "./merge.js";

const features = [];
const attached = new WeakMap();

/**
 * Registers a feature of a page. All of it is optional:
 *
 * `selector`, `attach(element)`: called once with every element that matches, now and whenever one comes.
 * `start()`: once, when the page is there. `refreshed()`: after that, and after every change of the page by the desk.
 * `merged()`: within every change, before anybody sees it.
 * `acting(elt)`, `acted(elt)`, `failed(elt)`: before htmx sends a form, and once the request of an element was done or
 * was not. `stale(elt, path)`: whether an answer came too late to be shown.
 * `losesByLeaving()`: whether leaving the page would lose what only it has.
 */
export function feature(one) {
  features.push(one);
}

const each = (hook, ...values) => features.forEach((one) => one[hook]?.(...values));
const some = (hook, ...values) => features.some((one) => one[hook]?.(...values));

function attach(one) {
  const known = attached.get(one) ?? attached.set(one, new WeakSet()).get(one);
  for (const element of document.querySelectorAll(one.selector)) {
    if (known.has(element)) continue;
    known.add(element);
    one.attach(element);
  }
}

function refreshed() {
  // Somebody else signed in, in another window: what is kept here is not theirs.
  const now = document.querySelector("main [data-agent]")?.dataset.agent;
  if (now && now !== AGENT) return location.reload();
  for (const one of features) {
    if (one.selector) attach(one);
    one.refreshed?.();
  }
}

/** Whether leaving the page would lose what only it has. */
export const wouldLose = () => some("losesByLeaving");

// --- what went wrong ---

/** The id of what failed last: the words about it stay until it works, whatever else works meanwhile. */
let troubled;
const SIGNED_OUT = "signed out";

function trouble(words, id) {
  document.getElementById("trouble").textContent = words;
  troubled = id;
}

// --- htmx ---

/** Asks anew for what `element` shows: the answer goes where its `hx-target` says. */
export function ask(element) {
  if (!window.htmx) return;
  const target = element.getAttribute("hx-target");
  window.htmx.ajax("GET", element.getAttribute("hx-get"), { source: element, target, swap: "merge" });
}

/** After a request of `elt`, answered or not. */
function answered({ elt, successful }) {
  if (!successful) return each("failed", elt);
  if ([elt.id, SIGNED_OUT].includes(troubled) || elt.hasAttribute("hx-push-url")) trouble("");
  each("acted", elt);
}

/** Shows what the server sent; what of it was under way stands there once, at every moment. Returns what is new. */
function put(target, fragment) {
  const added = merge(target, fragment);
  each("merged");
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
    each("acting", detail.elt);
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
    if (some("stale", elt, path)) detail.shouldSwap = false;
    // Saved or given up: what was kept for it is shown again as it is.
    const kept = detail.xhr.status < 300 && elt.closest("li[data-keep]");
    if (kept) release(kept);
  });

  document.body.addEventListener("htmx:afterSwap", refreshed);
  document.body.addEventListener("live:late", () => trouble("Reconnecting …"));
  document.body.addEventListener("live:back", () => trouble(""));
}

// --- beginning ---

// What is loaded after this registers before the page is said to be complete.
document.addEventListener("DOMContentLoaded", () => {
  each("start");
  refreshed();
});

addEventListener("beforeunload", (event) => {
  if (wouldLose()) event.preventDefault();
});

for (const container of document.querySelectorAll("[data-live]")) remember(container);
if (window.htmx) connect(window.htmx);
