// What htmx cannot: swapping without losing the reader's place, drafts, local time.

/** What the server sent for an element, before the page changed it. */
const sources = new WeakMap();

function remember(element) {
  sources.set(element, element.outerHTML);
  for (const container of [element, ...element.querySelectorAll("[data-merge]")]) {
    for (const child of container.children) sources.set(child, child.outerHTML);
  }
}

/**
 * Makes the children of `target` those of `fragment`. What has the same id and was sent just so before stays
 * the very same element: text that is typed or selected in it, focus and scroll are not touched.
 *
 * `data-merge`: merged child by child. `data-keep`: never replaced. `data-stay`: not removed by an update.
 * Returns the elements that are new.
 */
function merge(target, fragment) {
  const fresh = [...fragment.children];
  const wanted = new Set(fresh.map((element) => element.id));
  const old = new Map();
  for (const child of [...target.children]) {
    if (child.id && wanted.has(child.id)) old.set(child.id, child);
    else if (!child.hasAttribute("data-stay")) child.remove();
  }
  const added = [];
  let at = target.firstElementChild;
  for (const element of fresh) {
    while (at?.hasAttribute("data-stay") && !wanted.has(at.id)) at = at.nextElementSibling;
    const kept = old.get(element.id);
    let node = kept ?? element;
    if (!kept) {
      remember(element);
      added.push(element);
    } else if (kept.hasAttribute("data-merge")) {
      added.push(...merge(kept, element));
    } else if (!kept.hasAttribute("data-keep") && sources.get(kept) !== element.outerHTML) {
      remember(element);
      carryOver(kept, element);
      if (at === kept) at = element;
      kept.replaceWith(element);
      added.push(element);
      node = element;
    }
    if (node === at) at = at.nextElementSibling;
    else target.insertBefore(node, at);
  }
  return added;
}

/** What the reader had opened stays open; the mode of a message that is being written stays chosen. */
function carryOver(from, to) {
  const details = (element) => (element.matches("details") ? [element] : [...element.querySelectorAll("details")]);
  const opened = details(from).map((one) => one.open);
  details(to).forEach((one, index) => (one.open = opened[index] ?? one.open));
  const chosen = from.querySelector("input:checked");
  if (chosen && from.closest("form").querySelector("textarea").value) {
    const same = to.querySelector(`[value="${chosen.value}"]`);
    if (!same.disabled) same.checked = true;
  }
}

/** Changes the page while what is read stays where it is; who reads the end keeps seeing the end. */
function keepingPlace(change) {
  const scroller = document.querySelector("[data-scroll]");
  // The scroller is a reversed column: 0 is its end.
  const atEnd = !scroller || scroller.scrollTop > -8;
  const edge = scroller?.getBoundingClientRect().top;
  const read = atEnd ? null : [...scroller.firstElementChild.children].find((line) => line.getBoundingClientRect().bottom > edge);
  const before = read?.getBoundingClientRect().top;
  const result = change();
  if (read?.isConnected) scroller.scrollTop += read.getBoundingClientRect().top - before;
  else if (scroller?.isConnected && atEnd) scroller.scrollTop = 0;
  return result;
}

// --- time and language as the reader's own ---

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const languages = new Intl.DisplayNames(["en"], { type: "language" });

function elapsed(since) {
  const minutes = Math.max(0, Math.floor((Date.now() - since) / 60000));
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h`;
  return `${Math.floor(minutes / 60 / 24)} d`;
}

function localize() {
  const today = new Date().toDateString();
  for (const time of document.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    const exact = time.hasAttribute("data-time");
    const text = exact ? (at.toDateString() === today ? clock : day).format(at) : elapsed(at);
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

// --- writing ---

const draftKey = (box) => `draft:${document.body.dataset.agent}:${box.dataset.draft}`;

function keepDraft(box) {
  if (box.value) sessionStorage.setItem(draftKey(box), box.value);
  else sessionStorage.removeItem(draftKey(box));
}

function restoreDrafts() {
  for (const box of document.querySelectorAll("textarea[data-draft]")) {
    if (!box.value) box.value = sessionStorage.getItem(draftKey(box)) ?? "";
  }
}

document.addEventListener("input", (event) => {
  if (event.target.matches("textarea[data-draft]")) keepDraft(event.target);
});

document.addEventListener("keydown", (event) => {
  // While an input method composes, Enter chooses a word.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  if (!event.target.matches("textarea[data-draft]")) return;
  event.preventDefault();
  if (event.target.value.trim()) event.target.form.requestSubmit();
});

document.addEventListener("click", (event) => {
  event.target.closest("[data-dismiss]")?.closest(".alert").remove();
});

// --- htmx ---

/** The id of what failed last: the words about it stay until it works, whatever else works meanwhile. */
let troubled;

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
  const now = Number(document.getElementById("tab-of-queue").dataset.count);
  if (now > waiting) document.getElementById("announcement").textContent = `New in the queue. ${now} waiting.`;
  waiting = now;
}

function refreshed() {
  localize();
  restoreDrafts();
  showOpen();
  announceQueue();
}

/** After a request of `elt`, answered or not. */
function answered({ elt, successful, requestConfig }) {
  if (successful) {
    if (elt.id === troubled || elt.matches(".row")) trouble("");
    if (elt.id.startsWith("claim-")) document.getElementById("tab-mine").click();
    if (elt.matches(".row, [id^=claim-]") && matchMedia("(pointer: fine)").matches) {
      document.querySelector("textarea[data-draft]")?.focus({ preventScroll: true });
    }
  } else if (elt.matches(".composer")) {
    const own = elt.querySelector("textarea");
    const box = document.getElementById(own.id) ?? own;
    box.value = [requestConfig.formData.get("text"), box.value].filter(Boolean).join("\n");
    keepDraft(box);
  }
}

function connect(htmx) {
  htmx.defineExtension("merge", {
    handleSwap: (style, target, fragment) => style === "merge" && keepingPlace(() => merge(target, fragment)),

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
    document.querySelector(".alert")?.remove();
    if (!detail.elt.matches(".composer")) return;
    // Emptied at once, so that the next message can be begun while this one is on its way.
    const box = detail.elt.querySelector("textarea");
    box.value = "";
    keepDraft(box);
  });

  document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const { elt, path } = detail.requestConfig;
    const of = path.match(/\/conversations\/(\d+)/)?.[1];
    // Another list or conversation was opened while this answer was on its way.
    const stale = of
      ? !elt.matches(".row") && !document.getElementById(`conversation-${of}`)
      : elt.matches(".listing") && !elt.isConnected;
    if (stale) detail.shouldSwap = false;
  });

  document.body.addEventListener("htmx:afterSwap", refreshed);
  document.body.addEventListener("htmx:sseError", () => trouble("Reconnecting …"));
  document.body.addEventListener("htmx:sseOpen", () => trouble(""));
}

for (const container of document.querySelectorAll("#list, #conversation")) remember(container);
refreshed();
setInterval(localize, 20_000);
if (window.htmx) connect(window.htmx);
