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
  const details = (element, kind) => [element, ...element.querySelectorAll("details")].filter((one) => one.matches(`details.${kind}`));
  for (const kind of ["more", "versions", "verdict"]) {
    const opened = details(from, kind).map((one) => one.open);
    details(to, kind).forEach((one, index) => (one.open = opened[index] ?? one.open));
  }
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
  // While an input method composes, Enter chooses a word and Escape gives one up.
  if (event.isComposing || event.keyCode === 229) return;
  if (event.key === "Escape") event.target.closest(".changing")?.querySelector("[data-cancel]").click();
  if (event.key !== "Enter" || event.shiftKey || !event.target.matches(".composer textarea, .changing textarea")) return;
  event.preventDefault();
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

// --- files ---

/** What is chosen and not sent yet, by conversation: neither updates nor another conversation lose it; leaving the page does. */
const chosen = new Map();

function size(bytes) {
  for (const unit of ["bytes", "KB", "MB"]) {
    if (bytes < 1000) return `${bytes} ${unit}`;
    bytes = Math.floor(bytes / 1000);
  }
  return `${bytes} GB`;
}

function refuse(words) {
  const place = document.querySelector(".refused");
  if (place) place.textContent = words.join(" ");
}

/** Puts files to those that are chosen, and says which cannot be sent, and why. */
function choose(files) {
  const channel = document.querySelector(".conversation")?.dataset.channel;
  const attach = document.querySelector(".attach");
  if (!attach) return refuse([`Files cannot be sent on ${channel}.`]);
  const { files: id, max, total, most } = attach.dataset;
  const kept = chosen.get(id) ?? [];
  const problems = [];
  for (const file of files) {
    const sum = kept.reduce((bytes, one) => bytes + one.size, file.size);
    if (!file.size) problems.push(`${file.name} is empty.`);
    else if (file.size > max) problems.push(`${file.name} has ${size(file.size)}; at most ${size(max)} can be sent on ${channel}.`);
    else if (kept.length >= most) problems.push(`${file.name} was left out: at most ${most} files can be sent at once.`);
    else if (sum > total) problems.push(`${file.name} was left out: at most ${size(total)} can be sent at once.`);
    else kept.push(file);
  }
  chosen.set(id, kept);
  showChosen();
  refuse(problems);
}

function showChosen() {
  const attach = document.querySelector(".attach");
  if (!attach) return;
  const kept = chosen.get(attach.dataset.files) ?? [];
  const held = new DataTransfer();
  for (const file of kept) held.items.add(file);
  attach.querySelector("input").files = held.files;
  const list = document.getElementById(`chosen-${attach.dataset.files}`);
  list.replaceChildren(
    ...kept.map((file, index) => {
      const item = document.createElement("li");
      const name = document.createElement("bdi");
      const remove = document.createElement("button");
      name.textContent = file.name;
      remove.type = "button";
      remove.className = "plain";
      remove.textContent = "×";
      remove.setAttribute("aria-label", `Remove ${file.name}`);
      remove.addEventListener("click", () => {
        kept.splice(index, 1);
        showChosen();
        attach.querySelector("input").focus();
      });
      item.append(name, ` ${size(file.size)} `, remove);
      return item;
    }),
  );
  // A message may be all files.
  attach.closest("form").querySelector("textarea").required = !kept.length;
}

document.addEventListener("change", (event) => {
  if (event.target.matches(".attach input")) choose([...event.target.files]);
});

const holdsFiles = (transfer) => Boolean(transfer?.types.includes("Files"));

document.addEventListener("dragover", (event) => {
  if (!holdsFiles(event.dataTransfer) || !document.querySelector(".composer")) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = document.querySelector(".attach") ? "copy" : "none";
  document.querySelector(".composer").classList.toggle("dropping", Boolean(document.querySelector(".attach")));
});

const dropped = () => document.querySelector(".composer")?.classList.remove("dropping");
document.addEventListener("dragleave", (event) => event.relatedTarget ?? dropped());

// Wherever a file falls: a browser left alone would open it in the place of the desk.
document.addEventListener("drop", (event) => {
  if (!holdsFiles(event.dataTransfer)) return;
  event.preventDefault();
  dropped();
  if (!document.querySelector(".composer")) return;
  const items = [...event.dataTransfer.items].filter((item) => item.kind === "file" && !item.webkitGetAsEntry?.()?.isDirectory);
  choose(items.map((item) => item.getAsFile()).filter(Boolean));
});

document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  // Office programs put a picture of a copied text beside the text.
  if (!files.length || event.clipboardData.types.includes("text/plain") || !event.target.closest?.(".composer")) return;
  event.preventDefault();
  choose(files);
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
  const tab = document.getElementById("tab-of-queue");
  if (!tab) return;
  const now = Number(tab.dataset.count);
  if (now > waiting) document.getElementById("announcement").textContent = `New in the queue. ${now} waiting.`;
  waiting = now;
}

function refreshed() {
  localize();
  restoreDrafts();
  showChosen();
  showOpen();
  announceQueue();
}

/** What a composer sent last, besides its words: its quote, until the desk has taken it. */
const quotes = new WeakMap();

/** Empties the composer at once, so that the next message can be begun while this one is on its way. */
function take(composer, { formData }) {
  const box = composer.querySelector("textarea");
  const quoting = composer.querySelector(".quoting");
  box.value = "";
  keepDraft(box);
  refuse([]);
  if (formData.get("mode") === "note") {
    // Files and the quote wait for the reply.
    formData.delete("files");
    formData.delete("reply_to");
    return;
  }
  quoting?.remove();
  quotes.set(composer, quoting);
  if (composer.querySelector(".attach")) {
    chosen.delete(composer.querySelector(".attach").dataset.files);
    showChosen();
  }
}

/** Gives back what was sent in vain, before what was begun since. */
function giveBack(composer, { formData, failed }) {
  const own = composer.querySelector("textarea");
  const box = document.getElementById(own.id) ?? own;
  box.value = [formData.get("text"), box.value].filter(Boolean).join("\n");
  keepDraft(box);
  const quoting = quotes.get(composer);
  if (quoting && box.form && !box.form.querySelector(".quoting")) box.form.querySelector(".mode").after(quoting);
  const files = formData.getAll("files").filter((file) => file.name);
  if (files.length && own.dataset.draft) {
    chosen.set(own.dataset.draft, [...files, ...(chosen.get(own.dataset.draft) ?? [])]);
    showChosen();
  }
  if (failed === 413) refuse(["The server before the desk takes no files that large."]);
}

/** After a request of `elt`, answered or not. */
function answered({ elt, successful, requestConfig, xhr }) {
  if (elt.matches(".composer")) document.getElementById(elt.id.replace("composer-", "sending-"))?.replaceChildren();
  if (successful) {
    if (elt.id === troubled || elt.matches(".row")) trouble("");
    if (elt.id.startsWith("claim-")) document.getElementById("tab-mine").click();
    if (elt.matches(".row, [id^=claim-]") && matchMedia("(pointer: fine)").matches) {
      document.querySelector("textarea[data-draft]")?.focus({ preventScroll: true });
    }
    if (elt.matches(".link-with")) {
      for (const element of document.querySelectorAll(".found > *")) element.remove();
      for (const box of document.querySelectorAll(".finder input[type=search]")) box.value = "";
      for (const finder of document.querySelectorAll(".finder")) finder.open = false;
    }
    if (elt.matches("[data-opens], .changing, .changing *")) goOn(elt);
  } else if (elt.matches(".composer")) {
    giveBack(elt, { formData: requestConfig.formData, failed: xhr.status });
  }
}

/** Where the keyboard is needed next: in what was opened, or back where it was opened from. */
function goOn(elt) {
  const id = elt.id.replace(/^\D+/, "");
  const message = document.getElementById(`m-${id}`);
  const box = elt.id.startsWith("quote-")
    ? document.querySelector(".composer textarea")
    : message?.querySelector(".changing textarea, .changing button, .tool");
  box?.focus({ preventScroll: !elt.matches("[data-opens]") });
  if (box?.matches(".changing textarea")) box.setSelectionRange(box.value.length, box.value.length);
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
    // Files take as long as they take.
    if (detail.formData.getAll("files").some((file) => file.size)) detail.timeout = 0;
    take(detail.elt, detail);
  });

  document.body.addEventListener("htmx:xhr:progress", ({ detail, target }) => {
    const place = document.getElementById(target.id.replace("composer-", "sending-"));
    if (!place || !target.matches(".composer") || !detail.lengthComputable || detail.total < 200_000) return;
    place.textContent = detail.loaded < detail.total ? `Sending … ${Math.floor((100 * detail.loaded) / detail.total)} %` : "Sending …";
  });

  document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const { elt, path } = detail.requestConfig;
    const of = path.match(/\/conversations\/(\d+)/)?.[1];
    // Another list or conversation was opened while this answer was on its way.
    const stale = of
      ? !elt.matches(".row") && !document.getElementById(`conversation-${of}`)
      : elt.matches(".listing") && !elt.isConnected;
    // A server before the desk that takes no files that large says so in its own words.
    if (stale || (detail.xhr.status === 413 && elt.matches(".composer"))) detail.shouldSwap = false;
    // Saved or given up: the reply is shown again as it is.
    if (detail.xhr.status < 300) elt.closest("li[data-keep]")?.removeAttribute("data-keep");
  });

  document.body.addEventListener("htmx:afterSwap", refreshed);
  document.body.addEventListener("live:late", () => trouble("Reconnecting …"));
  document.body.addEventListener("live:back", () => trouble(""));
}

for (const container of document.querySelectorAll("[data-live]")) remember(container);
refreshed();
setInterval(localize, 20_000);
if (window.htmx) connect(window.htmx);
