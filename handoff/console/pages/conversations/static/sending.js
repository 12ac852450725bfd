// Sends what agents write, and shows it in the thread from the first moment on until the thread itself has it.

import { boxOf, conversationOf, empty, maySend, modeOf, onAside, putBack } from "./boxes.js";
import { ask, feature, wouldLose } from "../components/console.js";
import { chosenFor, giveBackFiles, refuse, takeChosen } from "./files.js";
import { guarding } from "../components/guard.js";
import { h } from "../components/element.js";
import { ROOT } from "../components/keep.js";
import { keepingPlace } from "../components/merge.js";
import { Outbox } from "./outbox.js";
import { formats, say } from "../components/say.js";

const outbox = new Outbox({ changed });
/** What stands in the thread, by submission. */
const shown = new Map();
/** The quotes of what is under way, to be given back. */
const quotes = new Map();

/** Asks for the open conversation anew, where a message of this page is not to be seen in it yet. */
function refresh() {
  const article = document.querySelector("#conversation > article");
  if (article) ask(article);
}

const openId = () => document.querySelector(".conversation")?.id.replace("conversation-", "");
const composerFor = (conversation) => document.getElementById(`composer-${conversation}`);
export const unsettled = (conversation) => outbox.unsettled(conversation);

/** Words of another window that must not come into a box of the other mode. */
function standAside(conversation, { mode, words }) {
  if (!mode) return;
  outbox.setAside({ conversation, who: whose(), mode, text: words, aside: true }, say("console.script.other_window"));
}

const whose = () => document.querySelector(".who h1")?.textContent.trim() ?? "";

/** Sends what the composer holds. A reply waits in its box while the agent does not have the conversation. */
function submit(form) {
  const [mode, box, conversation] = [modeOf(form), boxOf(form), conversationOf(form)];
  if (mode === "reply" && !maySend(form)) return pointOut(form);
  const files = mode === "reply" ? chosenFor(conversation) : [];
  if (!box.value.trim() && !files.length) return box.focus();
  const quoting = mode === "reply" ? form.querySelector(".quoting") : null;
  const asFiles = files.length > 0 && Boolean(form.querySelector(".as-files input")?.checked);
  outbox.add({
    conversation, mode, who: whose(), text: box.value, replyTo: quoting?.querySelector("input").value, asFiles,
  }, mode === "reply" ? [...takeChosen(conversation)] : []);
  if (quoting) quotes.set(outbox.items.at(-1).id, quoting);
  quoting?.remove();
  empty(form);
  refuse([]);
  const scroller = document.querySelector("[data-scroll]");
  if (scroller) scroller.scrollTop = 0;
}

/** Shows once more why nothing was sent. */
function pointOut(form) {
  const standing = form.querySelector(".standing");
  standing.classList.remove("pointed");
  requestAnimationFrame(() => standing.classList.add("pointed"));
}

function changed(item) {
  guarding(() => keepingPlace(() => place(item)));
  if (item.state === "sent") arrived(item);
  if (item.state === "signed-out") askToSignIn();
  showElsewhere();
}

function place(item) {
  if (item.state === "gone") {
    shown.get(item.id)?.remove();
    shown.delete(item.id);
    quotes.delete(item.id);
  } else if (!(item.state === "refused" && givenBack(item))) {
    show(item);
  }
}

/** The desk has it. The thread is asked to show it, and usually does already. */
function arrived(item) {
  if (item.conversation === openId()) refresh();
  else outbox.drop(item.id);
  // It may lie beyond what a thread shows.
  setTimeout(() => outbox.drop(item.id), 30_000);
}

/** Drops what the thread shows by now. Called where the thread changes, so that nothing is seen twice or not at all. */
function settle() {
  for (const { id } of outbox.items) {
    if (document.querySelector(`[data-submission="${CSS.escape(id)}"]`)) outbox.drop(id);
  }
}

/** Puts what was refused back where it was written, with the word why, if the box is of its mode. */
function givenBack(item) {
  const form = composerFor(item.conversation);
  if (!form || modeOf(form) !== item.mode || item.aside) return false;
  takeBack(item, form, true);
  return true;
}

function takeBack(item, form, given) {
  const [files, quoting] = [outbox.files(item.id), quotes.get(item.id)];
  outbox.drop(item.id);
  putBack(form, { mode: item.mode, words: item.text }, given);
  giveBackFiles(item.conversation, files);
  const choice = form.querySelector(".as-files input");
  if (choice && item.asFiles) choice.checked = true;
  if (quoting && !form.querySelector(".quoting")) form.querySelector(".composer-top").after(quoting);
  if (item.why) refuse([say("console.script.not_sent", { why: item.why })]);
}

/** What the agent asks back. Words never come into a box that holds some of the other mode. */
function edit(item) {
  const form = composerFor(item.conversation);
  if (!form) return;
  if (boxOf(form).value && modeOf(form) !== item.mode) {
    refuse([say(`console.script.box_holds.${modeOf(form)}`)]);
    return;
  }
  takeBack(item, form, false);
  boxOf(form).focus();
}

// --- the thread ---

function show(item) {
  const place = document.getElementById(`unsent-${item.conversation}`);
  if (!place) return;
  const kind = say(`console.script.kind.${item.mode}`);
  let entry = shown.get(item.id);
  if (!entry) {
    const icon = document.querySelector(`.mode input[value=${item.mode}] + span .icon`)?.cloneNode(true);
    const files = item.names.map((name) => h("div", { class: "attachment" }, h("bdi", {}, name)));
    entry = h("article", { class: `message ${item.mode === "note" ? "note" : "agent"} outgoing`, "data-id": item.id, "data-mode": item.mode },
      h("p", { class: "author" }, icon, ` ${kind}`),
      h("div", { class: "bubble" }, item.text.trim() && h("div", { class: "words", dir: "auto" }, item.text.trim()), ...files),
      h("div", { class: "foot" }));
    shown.set(item.id, entry);
  }
  if (entry.parentElement !== place) {
    const later = [...place.children].find((other) => atOf(other) > item.at);
    place.insertBefore(entry, later ?? null);
  }
  entry.dataset.state = item.state;
  entry.setAttribute("aria-label", say(`console.script.entry.${["sending", "sent", "refused"].includes(item.state) ? item.state : "waiting"}`, { kind }));
  const foot = entry.querySelector(".foot");
  const words = status(item);
  // What can be pressed is not replaced under the pointer.
  if (foot.dataset.state !== item.state) {
    foot.replaceChildren(h("span", { class: "how", role: item.state === "refused" ? "alert" : "status" }, words), ...actions(item));
    foot.dataset.state = item.state;
  } else if (foot.firstChild.textContent !== words) foot.firstChild.textContent = words;
}

const atOf = (element) => outbox.items.find((item) => item.id === element.dataset.id)?.at ?? 0;

function status(item) {
  const part = item.progress != null && item.progress < 1;
  const percent = part && new Intl.NumberFormat(formats, { style: "percent" }).format(Math.floor(100 * item.progress) / 100);
  switch (item.state) {
    case "sending": return part ? say("console.script.sending_part", { percent }) : say("console.script.sending");
    case "sent": return say("console.script.at_desk");
    case "signed-out": return say("console.script.sign_in_to_send");
    case "refused": return say("console.script.not_sent", { why: item.why ?? "" });
    default: return part ? say("console.script.trying_part", { percent }) : say("console.script.trying");
  }
}

function actions(item) {
  const button = (label, onclick, more = {}) => h("button", { type: "button", class: "small", onclick, ...more }, label);
  if (item.state === "waiting") return [button(say("console.script.try_now"), () => outbox.flush())];
  if (item.state === "signed-out") return [h("a", { class: "button small", href: `${ROOT}sign-in`, target: "_blank", rel: "noopener" }, say("console.script.sign_in"))];
  if (item.state !== "refused") return [];
  return [button(say("console.script.edit"), () => edit(item)), button(say("console.script.discard"), () => outbox.drop(item.id), { "data-final": true })];
}

/** Says of which conversations, besides the one that is open, something is not sent. */
function showElsewhere() {
  const place = document.getElementById("elsewhere");
  if (!place) return;
  const found = new Map();
  for (const item of outbox.items) {
    if (item.conversation !== openId() && !["sending", "sent"].includes(item.state)) found.set(item.conversation, item.who || say("console.script.a_customer"));
  }
  const links = [...found].flatMap(([id, who]) => [" ", h("a", { href: `${ROOT}conversations/${id}?view=mine` }, h("bdi", {}, who))]);
  const words = [...found].map(String).join();
  if (place.dataset.of === words) return;
  place.dataset.of = words;
  place.replaceChildren(...(links.length ? [say("console.script.not_sent_to"), ...links] : []));
}

/** Quotes of messages from which a secret was removed since say what those say now. */
function cleanQuotes() {
  for (const quoting of [document.querySelector(".quoting"), ...quotes.values()]) {
    const link = quoting?.querySelector("a.quote[href*='#m-']");
    const removed = link && document.querySelector(`${link.hash}[data-removed] .words`);
    if (removed) link.querySelector("span").textContent = removed.textContent.trim();
  }
}

function showUnsent() {
  settle();
  for (const item of outbox.items) {
    if (item.conversation === openId()) show(item);
  }
  showElsewhere();
}

// --- leaving ---

let asked = false;

/** Where nothing would be lost, the page goes to the sign-in; else the agent signs in beside it. */
function askToSignIn() {
  if (asked || wouldLose()) return;
  asked = true;
  location.assign(`${ROOT}sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
}

let started = false;

/** Goes on with what was left behind, once the boxes hold what they held. */
function start() {
  if (started || !window.htmx) return;
  started = true;
  document.addEventListener("submit", (event) => {
    if (!event.target.matches(".composer")) return;
    event.preventDefault();
    submit(event.target);
  });
  outbox.start();
}

onAside(standAside);
feature({
  merged: settle,
  acted: () => outbox.flush(),
  losesByLeaving: () => outbox.losesByLeaving,
  refreshed() {
    cleanQuotes();
    showUnsent();
    start();
  },
});
