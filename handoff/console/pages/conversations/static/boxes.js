// The boxes that agents write in, and the mode of the one below a conversation.
//
// Once a box is shown, its mode is changed by its agent alone: by pressing Reply or Private note, by typing in another
// window of this browser, or by taking the conversation while the box is empty and was not touched.

import { feature } from "../components/console.js";
import { draftOf, keepDraft, onDraft, reconciled, taken } from "./drafts.js";

/** Boxes that were filled, and their forms. */
const filled = new WeakSet();
/** Composers in which the agent typed or chose a mode since they were shown or last sent. */
const touched = new WeakSet();
/** Modes that empty boxes had before another window's words came into them: theirs again once those are sent. */
const before = new WeakMap();
/** What is done with words that another window wrote in another mode. */
let standAside = () => {};

export const boxes = () => document.querySelectorAll("textarea[data-draft]");
export const composer = () => document.querySelector(".composer");
export const boxOf = (form) => form.querySelector("textarea[data-draft]");
export const conversationOf = (form) => form.id.replace("composer-", "");
export const modeOf = (form) => form.querySelector("input[name=mode]:checked")?.value ?? "note";
/** Whether the agent has the conversation, and so may send replies. */
export const maySend = (form) => form.querySelector(".standing")?.dataset.yours === "yes";

const composerOf = (box) => box.closest(".composer");

function held(box) {
  const form = composerOf(box);
  return { mode: form ? modeOf(form) : null, words: box.value };
}

function choose(form, mode) {
  const radio = form.querySelector(`input[name=mode][value=${mode === "reply" ? "reply" : "note"}]`);
  if (!radio.checked) radio.checked = true;
  follow(form);
}

/** Shows words and mode; who types in the box stays where they are in it. */
function show(box, { mode, words }) {
  const form = composerOf(box);
  if (form && words) choose(form, mode);
  if (box.value === words || (!form && !words)) return;
  const [fromEnd, typing] = [box.value.length - box.selectionEnd, document.activeElement === box];
  box.value = words;
  if (typing) box.setSelectionRange(Math.max(0, words.length - fromEnd), Math.max(0, words.length - fromEnd));
}

/** What follows from the mode: what the box says of itself, and whether it can be sent. */
export function follow(form) {
  const reply = modeOf(form) === "reply";
  const box = boxOf(form);
  box.placeholder = reply ? "Write to the customer…" : "Write a note for colleagues…";
  box.required = !reply || !form.querySelector(".chosen li");
  const send = form.querySelector(".send");
  send.disabled = "waiting" in send.dataset || (reply && !maySend(form));
}

/** Takes over what other windows wrote in this box's draft. */
function sync(box, theirs) {
  const name = box.dataset.draft;
  const result = reconciled(name, held(box), theirs);
  if (!result) return;
  const form = composerOf(box);
  if (form && result.words && !box.value && !before.has(form)) before.set(form, modeOf(form));
  show(box, result);
  if (form && !box.value && before.has(form)) {
    choose(form, before.get(form));
    before.delete(form);
  }
  if (result.aside) standAside(name, result.aside);
}

function fill(box) {
  filled.add(box);
  // What the server gave back, to a page whose scripts did not run.
  if (box.value && composerOf(box)) return keep(box);
  const draft = taken(box.dataset.draft);
  if (draft.words) show(box, draft);
}

function keep(box) {
  sync(box);
  const words = box.closest(".changing") && box.value === box.defaultValue ? "" : box.value;
  if (words || draftOf(box.dataset.draft).words) keepDraft(box.dataset.draft, { ...held(box), words });
}

function fillBoxes() {
  for (const box of boxes()) if (!filled.has(box)) fill(box);
  for (const form of document.querySelectorAll(".composer")) follow(form);
}

/** Empties the box: its words are on their way. */
export function empty(form) {
  const box = boxOf(form);
  box.value = "";
  keepDraft(box.dataset.draft, held(box));
  touched.delete(form);
  before.delete(form);
}

/** Puts words before what was begun since. The box is of their mode, or empty and it is the agent who asks for it. */
export function putBack(form, { mode, words }, given) {
  const box = boxOf(form);
  if (!given) choose(form, mode);
  show(box, { mode, words: [words, box.value].filter(Boolean).join("\n") });
  keepDraft(box.dataset.draft, held(box), given);
}

/** The agent took the conversation: an empty box that they did not touch is for a reply. */
export function readyToReply(form) {
  if (!boxOf(form).value && !touched.has(form)) choose(form, "reply");
}

/** Gives up what was written in a box that is done with. */
export function forget(name) {
  if (draftOf(name).words) keepDraft(name, { words: "" });
}

/** Says what is done with words that another window wrote in another mode. */
export function onAside(done) {
  standAside = done;
}

function start() {
  onDraft((name, theirs) => {
    for (const box of boxes()) if (box.dataset.draft === name && filled.has(box)) sync(box, theirs);
  });
  // The page may have slept in the browser's cache of pages.
  addEventListener("pageshow", () => boxes().forEach((box) => filled.has(box) && sync(box)));
  document.addEventListener("input", ({ target }) => {
    if (!target.matches("textarea[data-draft]")) return;
    if (composerOf(target)) {
      touched.add(composerOf(target));
      before.delete(composerOf(target));
    }
    keep(target);
  });
  document.addEventListener("change", ({ target }) => {
    if (!target.matches(".composer input[name=mode]")) return;
    const form = target.form;
    touched.add(form);
    before.delete(form);
    follow(form);
    if (boxOf(form).value) keep(boxOf(form));
    else sync(boxOf(form));
  });
  // The guard has let go of a button that the mode may forbid.
  document.addEventListener("released", ({ target }) => target.matches(".send") && follow(target.form));
}

feature({ start, refreshed: fillBoxes });
