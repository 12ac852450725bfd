// What can be done with a conversation, without doing what was not meant.
//
// Nothing that cannot be undone appears where something else was a moment ago: each act has its own place, and where
// one comes or moves by an update all the same, it can be pressed only a second later (`data-final`).

import { feature } from "../components/console.js";
import { boxOf, composer, conversationOf, forget, readyToReply } from "./boxes.js";
import { chosenFor } from "./files.js";
import { guard, guarding } from "../components/guard.js";
import { h } from "../components/element.js";
import { unsettled } from "./sending.js";
import { say } from "../components/say.js";

/** So long after the keyboard brought the agent into a box, Enter may still be meant for what they pressed before. */
const ENTER_WAIT = 800;

// --- the keyboard ---

let pressed = -Infinity; // when Enter or the space bar last did something outside a box
const moved = new WeakMap();

/** Moves the keyboard into a box for the agent. */
export function focusOn(element) {
  if (!element) return;
  element.focus({ preventScroll: true });
  if (performance.now() - pressed < 5000) moved.set(element, performance.now());
}

/** Whether Enter in this box may be the second press of what brought the agent here. */
export const tooSoon = (box) => performance.now() - (moved.get(box) ?? -Infinity) < ENTER_WAIT;

// --- asking ---


/** Whether words or files stand unsent in the conversation. */
function standsUnsent(conversation) {
  const form = document.getElementById(`composer-${conversation}`);
  const changing = [...document.querySelectorAll(".changing textarea")].some((box) => box.value !== box.defaultValue);
  return Boolean((form && boxOf(form).value.trim()) || unsettled(conversation).length || chosenFor(conversation).length || changing);
}

function ask(act, then) {
  const label = say(`console.script.all_the_same.${act}`);
  const dialog = h("dialog", { class: "ask", role: "alertdialog", "aria-labelledby": "ask-unsent" },
    h("p", { id: "ask-unsent" }, say(`console.script.unsent_ask.${act}`)),
    h("div", { class: "choices" },
      h("button", { type: "button", class: "danger", "data-final": true, onclick: () => { dialog.close(); then(); } }, label),
      h("button", { type: "button", autofocus: true, onclick: () => dialog.close() }, say("console.script.cancel"))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  guarding(() => dialog.showModal());
  dialog.querySelectorAll("[data-final]").forEach(guard);
}

function beforeRequest(event) {
  const [, act, conversation] = event.detail.elt.id.match(/^(resolve|hand-back)-(\d+)$/) ?? [];
  if (!act || !standsUnsent(conversation)) return;
  event.preventDefault();
  ask(act, () => event.detail.issueRequest(true));
}

// --- after an act ---

/** Conversations that this window gives away itself. */
const givenAway = new Set();

/** After the desk did what `elt` asked for. */
function acted(elt) {
  if (elt.id === "claim-next") return taken();
  if (/^(snooze|wake|priority)/.test(elt.id)) return close(elt);
  const [, act, conversation] = elt.id.match(/^(claim|take-over|reopen|undo|transfer|put-back|hand-back-with)-(\d+)/) ?? [];
  if (!act) return;
  forget(`${act.replace("-with", "")}-${conversation}`);
  if (["transfer", "put-back", "hand-back-with"].includes(act)) return;
  document.getElementById("tab-mine")?.click();
  const form = composer();
  if (!form || conversationOf(form) !== conversation) return;
  begin(form);
}

/** What was chosen is done: what it was chosen from closes. */
function close(elt) {
  const sheet = elt.closest("details.sheet-of") ?? document.querySelector(".acts details.sheet-of[open]");
  if (!sheet?.isConnected) return;
  sheet.open = false;
  sheet.querySelector("summary").focus();
}

/** Whoever was next is here, and it is for the agent to write. */
function taken() {
  const standing = document.querySelector(".standing");
  if (standing?.dataset.yours !== "yes") return;
  document.getElementById("tab-mine")?.click();
  begin(composer());
}

function begin(form) {
  readyToReply(form);
  if (matchMedia("(pointer: fine)").matches) focusOn(boxOf(form));
}

/** Times that an agent names are meant where they are. */
function tellZone() {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  for (const field of document.querySelectorAll(".zone")) field.value = timeZone ?? "";
}

/** Before the desk is asked for what `elt` does. */
function acting(elt) {
  if (given(elt)) givenAway.add(given(elt));
}

/** It did not come to it. */
function failed(elt) {
  if (given(elt)) givenAway.delete(given(elt));
}

const given = (elt) => elt.id.match(/^(?:transfer|put-back|hand-back|hand-back-with|resolve)-(\d+)/)?.[1];

const yours = new Map();

/** Tells an agent whose conversation somebody else took, or put back, what happened and why. */
function tellFormerAgent() {
  const standing = document.querySelector(".standing");
  const form = composer();
  if (!form) return;
  const conversation = conversationOf(form);
  const mine = standing.dataset.yours === "yes";
  const gone = yours.get(conversation) && !mine;
  yours.set(conversation, mine);
  if (gone && !givenAway.delete(conversation) && ["assigned", "queued"].includes(standing.dataset.state)) {
    const words = standing.querySelector(".why")?.textContent ?? say("console.script.not_yours");
    document.querySelector(".former")?.remove();
    const alert = h("div", { id: `former-${conversation}`, class: "alert former", role: "alert", "data-stay": true },
      h("span", { dir: "auto" }, words),
      h("button", { type: "button", class: "plain", "data-dismiss": true, "aria-label": say("console.script.dismiss") }, "×"));
    document.querySelector(".alerts").prepend(alert);
  }
  if (mine) document.querySelector(".former")?.remove();
}

// --- the ten seconds after resolving ---

const ends = new WeakMap();

function countDown() {
  const state = document.querySelector(".standing")?.dataset.state;
  for (const bar of document.querySelectorAll(".told")) {
    if (!ends.has(bar)) ends.set(bar, performance.now() + 1000 * Number(bar.dataset.left));
    if (state !== "resolved") {
      bar.remove();
      continue;
    }
    const left = Math.ceil((ends.get(bar) - performance.now()) / 1000);
    const words = left > 0 ? say("console.script.told_in", { n: left }) : say("console.script.told");
    const place = bar.querySelector(".told-words");
    if (place.textContent !== words) place.textContent = words;
    if (left > 0 || bar.classList.contains("over")) continue;
    bar.classList.add("over");
    bar.querySelector("form").remove();
    bar.append(h("button", { type: "button", class: "plain", "data-dismiss": true, "aria-label": say("console.script.dismiss") }, "×"));
  }
}

function start() {
  setInterval(countDown, 250);
  document.body.addEventListener("htmx:confirm", beforeRequest);
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.matches("textarea, input");
    if (["Enter", " "].includes(event.key) && !typing) pressed = performance.now();
    if (typing && event.key !== "Enter") moved.delete(event.target);
    if (event.key !== "Escape") return;
    const open = document.querySelector("details.sheet-of[open]");
    if (!open) return;
    open.open = false;
    open.querySelector("summary").focus();
  });
  document.addEventListener("toggle", ({ target }) => {
    if (target.matches?.(".sheet-of")) target.querySelector("summary").setAttribute("aria-expanded", target.open);
  }, true);
  document.addEventListener("input", ({ target }) => moved.delete(target));
  document.addEventListener("pointerdown", ({ target }) => {
    for (const open of document.querySelectorAll("details.sheet-of[open]")) if (!open.contains(target)) open.open = false;
  });
}

feature({
  start,
  acting,
  acted,
  failed,
  refreshed() {
    countDown();
    tellZone();
    tellFormerAgent();
  },
});
