// A key for every act. An act says its key itself (`data-key`): the key presses its button, and so does what the button
// does, with whatever it asks before. Keys without a modifier do nothing while somebody types, while an input method
// composes, while a question is open, and where their agent turned them off.

import { focusOn } from "./acts.js";
import { boxOf, composer } from "./boxes.js";
import { feature } from "../components/console.js";
import { h } from "../components/element.js";
import { AGENT, kept } from "../components/keep.js";
import { say } from "../components/say.js";

const SETTING = `keys:${AGENT}`;
const allowed = () => kept.get(SETTING) !== "off";

/** What a key does that presses no button. */
const MOVES = {
  j: () => step(1),
  k: () => step(-1),
  r: () => write("reply"),
  m: () => write("note"),
  "?": help,
};

// --- from row to row ---

/** Where the open conversation stands in the list, also when it has just left it. */
let place = 0;
/** The row that a key opened: its agent goes on by keys, and not in the box. */
let opening;

const rows = () => [...document.querySelectorAll(".rows a.row")];

function step(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.hasAttribute("aria-current"));
  // What stood below a row that is gone stands in its place.
  const to = at >= 0 ? at + by : by > 0 ? Math.min(place, all.length - 1) : place - 1;
  const row = all[Math.max(0, Math.min(all.length - 1, to))];
  if (row.hasAttribute("aria-current")) return;
  opening = row.parentElement.id;
  row.scrollIntoView({ block: "nearest" });
  row.focus({ preventScroll: true });
  row.click();
}

/** Whether a key opened this row; asked once. */
export function openedByKey(row) {
  const it = row.parentElement?.id === opening;
  opening = undefined;
  return it;
}

function follow() {
  const at = rows().findIndex((row) => row.hasAttribute("aria-current"));
  if (at >= 0) place = at;
}

// --- the box ---

function write(mode) {
  const form = composer();
  if (!form) return;
  form.querySelector(`input[name=mode][value=${mode}]`)?.click();
  focusOn(boxOf(form));
}

// --- help ---

const words = (element) => (element.dataset.does ?? element.textContent).trim().replace(/\s+/g, " ");

function help() {
  if (document.querySelector("dialog.keys")) return;
  const acts = new Map([...document.querySelectorAll("[data-key]")].filter((one) => shown(one) || opener(one)).map((one) => [one.dataset.key, words(one)]));
  const line = (key, text) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, text));
  const moves = { j: "next", k: "previous", r: "reply", m: "note", "?": "help" };
  const box = h("input", { type: "checkbox", id: "keys-allowed", checked: allowed(), onchange: ({ target }) => kept.set(SETTING, target.checked ? "on" : "off") });
  const dialog = h("dialog", { class: "ask keys", "aria-labelledby": "keys-title" },
    h("h2", { id: "keys-title" }, say("console.script.keys.title")),
    h("dl", {},
      ...Object.entries(moves).map(([key, name]) => line(key, say(`console.script.keys.${name}`))),
      ...[...acts].map(([key, text]) => line(key, text)),
      line(say("console.script.keys.escape_key"), say("console.script.keys.escape"))),
    h("label", { class: "keys-allowed" }, box, ` ${say("console.script.keys.allowed")}`),
    h("div", { class: "choices" }, h("button", { type: "button", autofocus: true, onclick: () => dialog.close() }, say("console.script.keys.close"))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

// --- pressing ---

const shown = (element) => element.checkVisibility?.() ?? element.getClientRects().length > 0;

/** What opens the part of the page that the element is in, if that is closed. */
function opener(element) {
  const summary = element.closest("details.sheet-of:not([open])")?.querySelector("summary");
  return summary && summary !== element && shown(summary) ? summary : null;
}

function press(key) {
  const all = [...document.querySelectorAll(`[data-key="${key}"]`)].filter((one) => !one.disabled);
  const button = all.find(shown);
  if (!button) {
    // It stands among others: its key leads there, and is no press yet.
    const inside = all.find(opener);
    if (!inside) return false;
    opener(inside).click();
    inside.focus();
    return true;
  }
  button.focus({ preventScroll: true });
  button.click();
  // What opened wants the keyboard.
  button.closest("details[open]")?.querySelector("select, textarea, input:not([type=hidden]), button, a")?.focus();
  return true;
}

function pressed(event) {
  if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (!(event.target instanceof Element) || event.defaultPrevented) return;
  if (event.key === "Escape" && event.target.matches(".composer textarea")) return leave();
  if (event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable], dialog")) return;
  if (document.querySelector("dialog[open]") || (!allowed() && event.key !== "?")) return;
  const does = MOVES[event.key];
  if (does) does();
  else if (!/^[a-z]$/.test(event.key) || !press(event.key)) return;
  event.preventDefault();
}

/** From the box back to where keys act. */
function leave() {
  (document.querySelector(".rows a.row[aria-current]") ?? document.getElementById("conversation")).focus({ preventScroll: true });
}

feature({ start: () => document.addEventListener("keydown", pressed), refreshed: follow });
