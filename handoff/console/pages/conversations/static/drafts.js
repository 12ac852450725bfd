// What is written and not sent: {mode, words} of one agent for one conversation, shared by all windows of the browser.
//
// The mode belongs to the words. Two windows that wrote at the same moment lose nothing: their words are joined where
// they are of one mode, and stand aside (`aside`) where they are not.

import { feature } from "../components/console.js";
import { AGENT, kept, newId, parsed } from "../components/keep.js";

const WINDOW = newId();
const NOTHING = { mode: null, words: "", at: 0, by: "" };
/** Milliseconds for which an emptied draft is remembered, so that every window hears of it. */
const FORGOTTEN_AFTER = 24 * 3600_000;

/** What this window last knew of each draft. */
const known = new Map();
/** Drafts that this window alone has: what may be a secret is kept nowhere. */
const here = new Set();
/** How far this window has read what each other one wrote. */
const read = new Map();

const prefix = `draft:${AGENT}:`;

function valid(draft) {
  return draft && typeof draft.words === "string" && Number.isFinite(draft.at) ? { ...NOTHING, ...draft } : NOTHING;
}

/** The draft as it is kept. */
export function draftOf(name) {
  return valid(kept.get(prefix + name));
}

/** Keeps what this window holds now. `given`: put there by the page, not by the agent. */
export function keepDraft(name, { mode = null, words }, given = false) {
  const last = Math.max(draftOf(name).at, known.get(name)?.at ?? 0);
  const draft = { mode, words, at: Math.max(Date.now(), last + 1), by: WINDOW, ...(given && { given }) };
  known.set(name, draft);
  const elsewhere = kept.set(prefix + name, draft, words);
  if (elsewhere || !words) here.delete(name);
  else here.add(name);
  return elsewhere;
}

/** Forgets what emptied drafts left behind. */
function tidyDrafts() {
  for (const key of kept.keys(prefix)) {
    const draft = valid(kept.get(key));
    if (!draft.words && Date.now() - draft.at > FORGOTTEN_AFTER) kept.remove(key);
  }
}

/**
 * What a box that holds `mine` should hold, now that another window wrote `theirs`; null where nothing is new.
 * `aside` are words of another mode, which must never come into this box.
 */
export function reconciled(name, mine, theirs = draftOf(name)) {
  const from = `${name} ${theirs.by}`;
  if (theirs.by === WINDOW || !theirs.at || (read.get(from) ?? 0) >= theirs.at) return null;
  const base = known.get(name) ?? NOTHING;
  // The mode of an empty box is changed by what the agent types elsewhere, and by nothing else.
  if (!mine.words && theirs.words && theirs.given && theirs.mode !== mine.mode) return null;
  read.set(from, theirs.at);
  const older = theirs.at < base.at;
  const result = joined(older ? NOTHING : base, mine, theirs);
  if (!older) known.set(name, theirs);
  if (result.words !== theirs.words || (result.words && result.mode !== theirs.mode)) keepDraft(name, result);
  return result;
}

function joined(base, mine, theirs) {
  if (!theirs.words) return mine.words === base.words ? { mode: mine.mode, words: "" } : mine;
  if (!mine.words) return { mode: theirs.mode, words: theirs.words };
  if (mine.words === base.words && mine.mode === base.mode) return { mode: theirs.mode, words: theirs.words };
  if (mine.mode !== theirs.mode) return { ...mine, aside: { mode: theirs.mode, words: theirs.words } };
  return { mode: mine.mode, words: together(base.words, mine.words, theirs.words) };
}

function together(base, mine, theirs) {
  if (mine.includes(theirs)) return mine;
  if (theirs.includes(mine)) return theirs;
  if (base && theirs.endsWith(base)) return theirs.slice(0, theirs.length - base.length) + mine;
  return `${theirs}\n${mine}`;
}

/** Takes note that a box was filled with the draft as it is kept. */
export function taken(name) {
  const draft = draftOf(name);
  known.set(name, draft);
  if (draft.by && draft.by !== WINDOW) read.set(`${name} ${draft.by}`, draft.at);
  return draft;
}

/** Calls `changed(name, theirs)` when another window wrote. */
export function onDraft(changed) {
  addEventListener("storage", (event) => {
    if (event.key?.startsWith(prefix)) changed(event.key.slice(prefix.length), valid(parsed(event.newValue)));
  });
}

feature({ start: tidyDrafts, losesByLeaving: () => here.size > 0 });
