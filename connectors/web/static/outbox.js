// What the customer said and the desk does not have yet, kept over reloads, save what may be a secret: that is in the memory
// of its tab alone.

import { backoff, wishOf } from "./holder.js";
import { BASE } from "./line.js";
import { mayBeSecret } from "./maybe_secret.js";
import { parsed, storage } from "./storage.js";
import { inTurn } from "./tabs.js";

export const SEND_TIMEOUT = 15_000;
const LONGEST_PAUSE = 30_000;

/** A UUID; `crypto.randomUUID` is missing on pages served without TLS. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Milliseconds after which what another tab sent is shown no more, whether or not the transcript brought it. */
const SHOWN = 10_000;
/** After which a tab that left is not back: it was not only loaded anew. */
const LEFT = 1_500;
/** Between two looks for messages whose tab has gone. */
const LOOK = 5_000;
/** Until a look whether another tab took a message over in the same moment. */
const SETTLED = 100;

/**
 * What is not yet with the desk, oldest first, each under a key of its own: tabs do not overwrite one another. All tabs
 * show it, and one sends it: that in which it was written; when that is there no more, another one. Should two do so, the
 * desk records it once.
 *
 * Sends one at a time, in order, until the desk has taken or refused it. `changed(item)` is called with every
 * new `item.state`: sending, waiting (tried, will be tried again), sent, refused (with `item.why`), gone.
 * `shown(id)` says whether the transcript has brought a message already.
 */
export class Outbox {
  constructor({ locale, changed, shown, renew, headers, tabs, clock }) {
    Object.assign(this, { locale, changed, shown, renew, headers, tabs, clock });
    this.items = storage.under("unsent:").map(([, kept]) => parsed(kept)).filter((item) => item?.id);
    this.items.forEach((item) => {
      item.kept = true;
      if (item.state !== "refused") item.state = "waiting";
    });
    this.#sort();
    this.born = new Set(); // ids of what was written since this page was loaded
    this.named = false; // whose the others are is sure only when this tab's own name is
    this.running = false;
    this.failures = 0;
    this.wake = () => {};
    storage.watch((key, value) => key.startsWith("unsent:") && this.#otherTab(key.slice("unsent:".length), value));
    tabs.ready.then(() => {
      this.named = true;
      for (const item of this.items.filter(({ id, tab }) => this.born.has(id) && tab !== tabs.name)) {
        item.tab = tabs.name;
        if (this.#isKept(item)) this.#keep(item);
      }
      this.flush();
    });
    tabs.on("left", () => setTimeout(() => this.#takeOver(), LEFT));
    setInterval(() => this.#takeOver(), LOOK); // for tabs that went without a word
  }

  /** `said` is {text, files}, of which either may be empty, or {button}. */
  add(said) {
    const number = 1 + Math.max(0, ...this.items.map((item) => item.number ?? 0));
    const item = { id: newId(), number, at: this.clock.now.getTime(), tab: this.tabs.name, ...said };
    this.items.push(item);
    this.born.add(item.id);
    item.kept = this.#keep(item);
    this.#become(item, "sending");
    this.flush();
  }

  /** Sends what is unsent; hurries a pause between two tries. */
  flush() {
    this.wake();
    if (!this.running) this.#run();
    this.#takeOver();
  }

  /** Gives a message up: the desk has it, or the customer wants it back. False if it is none of these here. */
  drop(id) {
    const found = this.items.find((item) => item.id === id);
    if (!found) return false;
    this.#remove(found);
    storage.set(`unsent:${id}`, null);
    return true;
  }

  /** Of all tabs: nobody sends it any more. */
  forget() {
    this.posting?.abort();
    this.failures = 0;
    [...this.items].forEach(({ id }) => this.drop(id));
    storage.under("unsent:").forEach(([key]) => storage.set(key, null));
  }

  #remove(item) {
    this.#become(item, "gone");
    this.items = this.items.filter((other) => other !== item);
  }

  #sort() {
    this.items.sort((one, other) => (one.number ?? 0) - (other.number ?? 0) || (one.at ?? 0) - (other.at ?? 0));
  }

  /** Another tab keeps a message, has changed it, or has it no more. */
  #otherTab(id, value) {
    const item = this.items.find((one) => one.id === id);
    const theirs = parsed(value);
    if (!item && theirs?.id === id) {
      if (this.shown(id)) return;
      const added = { ...theirs, kept: true };
      this.items.push(added);
      this.#sort();
      this.changed(added);
    } else if (item && theirs) {
      item.tab = theirs.tab;
      Object.assign(item, { why: theirs.why, error: theirs.error });
      this.#become(item, theirs.state ?? "sending");
    } else if (item?.state === "refused") {
      this.#remove(item);
    } else if (item && item.state !== "sent") {
      this.#become(item, "sent");
      setTimeout(() => this.items.includes(item) && this.#remove(item), SHOWN);
    }
  }

  /** Messages of tabs that are there no more. */
  async #takeOver() {
    const isOthers = ({ tab, state }) => tab !== this.tabs.name && state !== "refused" && state !== "sent";
    await this.tabs.ready;
    if (!this.items.some(isOthers)) return;
    await inTurn("outbox", async () => {
      const others = await this.tabs.others();
      for (const item of this.items.filter((one) => isOthers(one) && !others.has(one.tab) && this.#isKept(one))) {
        item.tab = this.tabs.name;
        this.#keep(item);
      }
      await new Promise((resolve) => { setTimeout(resolve, SETTLED); });
    });
    if (!this.running) this.#run();
  }

  /** Whether it is still to be sent, and by this tab. */
  #isMine(item) {
    if (item.tab !== this.tabs.name || !(this.named || this.born.has(item.id))) return false;
    if (!item.kept) return true; // nobody else knows of it
    const kept = parsed(storage.get(`unsent:${item.id}`));
    if (kept) item.tab = kept.tab ?? item.tab;
    return kept != null && item.tab === this.tabs.name;
  }

  #isKept(item) {
    return storage.get(`unsent:${item.id}`) != null;
  }

  async #run() {
    this.running = true;
    for (let item; (item = this.#next()); ) {
      const pause = await this.#post(item);
      this.failures = pause == null ? 0 : this.failures + 1;
      if (pause != null) {
        this.#become(item, "waiting");
        await this.#sleep(pause);
      }
    }
    this.running = false;
  }

  #next() {
    for (const item of this.items.filter(({ state }) => state !== "refused" && state !== "sent")) {
      if (!this.named && !this.born.has(item.id)) return null; // in order, and soon
      if (this.#isMine(item)) return item;
      // Sent by another tab, or given up there.
      if (item.kept && !this.#isKept(item)) this.#otherTab(item.id, null);
    }
    return null;
  }

  /** Tries once. Null when that is the end of it, else the milliseconds after which to try again. */
  async #post(item) {
    const pause = backoff(this.failures + 1, LONGEST_PAUSE);
    const timeout = this.posting = new AbortController();
    const timer = setTimeout(() => timeout.abort(), SEND_TIMEOUT);
    try {
      const { id, text, button, files } = item;
      const response = await fetch(`${BASE}/messages`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "Accept-Language": this.locale, ...this.headers() },
        body: JSON.stringify({ id, text, button, files: files?.map((file) => file.id) }),
        signal: timeout.signal,
      });
      this.clock.heard(response);
      if (response.ok) {
        storage.set(`unsent:${id}`, null);
        this.#become(item, "sent");
        return null;
      }
      if (response.status === 401) return (await this.renew()) ? 0 : pause;
      if ([408, 429].includes(response.status) || response.status >= 500) return Math.max(wishOf(response), pause);
      const said = await response.json().catch(() => ({}));
      item.why = said.message ?? "";
      item.error = said.error;
      this.#become(item, "refused");
      this.#keep(item);
      return null;
    } catch {
      return pause;
    } finally {
      clearTimeout(timer);
    }
  }

  #sleep(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => { clearTimeout(timer); resolve(); };
    });
  }

  /** Whether other tabs, and this one after a reload, know of it. */
  #keep(item) {
    // The names of its files are as the desk keeps them.
    if (mayBeSecret(item.text ?? item.button.label)) return false;
    return storage.set(`unsent:${item.id}`, JSON.stringify(item));
  }

  #become(item, state) {
    // The transcript may bring a message before the answer to its POST: it is gone by then.
    if (!this.items.includes(item)) return;
    item.state = state;
    this.changed(item);
  }
}
