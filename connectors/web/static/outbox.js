// What the customer said and the desk does not have yet, kept over reloads.

import { BASE } from "./line.js";

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

/** localStorage, or nothing where the browser forbids it: the chat then works until the page is left. */
export const storage = {
  get(key) {
    try { return localStorage.getItem(`switchboard:${key}`); } catch { return null; }
  },
  set(key, value) {
    try {
      if (value) localStorage.setItem(`switchboard:${key}`, value);
      else localStorage.removeItem(`switchboard:${key}`);
    } catch { /* full or forbidden */ }
  },
  under(prefix) {
    try {
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(`switchboard:${prefix}`));
      return keys.map((key) => localStorage.getItem(key));
    } catch { return []; }
  },
};

/**
 * What is not yet with the desk, oldest first, each under a key of its own: tabs do not overwrite one another,
 * and where two send the same message the desk records it once.
 *
 * Sends one at a time, in order, until the desk has taken or refused it. `changed(item)` is called with every
 * new `item.state`: sending, waiting (tried, will be tried again), sent, refused (with `item.why`), gone.
 */
export class Outbox {
  constructor({ locale, changed, renew, headers }) {
    Object.assign(this, { locale, changed, renew, headers });
    this.items = storage.under("unsent:").flatMap((kept) => {
      try { return [JSON.parse(kept)]; } catch { return []; }
    });
    this.items.sort((one, other) => one.at - other.at);
    this.running = false;
    this.failures = 0;
    this.wake = () => {};
  }

  /** `said` is {text, files}, of which either may be empty, or {button}. */
  add(said) {
    const last = this.items[this.items.length - 1];
    const item = { id: newId(), at: Math.max(Date.now(), last ? last.at + 1 : 0), ...said };
    this.items.push(item);
    this.#keep(item);
    this.#become(item, "sending");
    this.flush();
  }

  /** Sends what is unsent; hurries a pause between two tries. */
  flush() {
    this.wake();
    if (!this.running) this.#run();
  }

  /** Gives a message up: the desk has it, or the customer wants it back. False if it is none of these here. */
  drop(id) {
    const found = this.items.find((item) => item.id === id);
    if (!found) return false;
    this.#become(found, "gone");
    this.items = this.items.filter((item) => item !== found);
    storage.set(`unsent:${id}`, null);
    return true;
  }

  async #run() {
    this.running = true;
    for (let item; (item = this.items.find(({ state }) => state !== "refused" && state !== "sent")); ) {
      const pause = await this.#post(item);
      this.failures = pause == null ? 0 : this.failures + 1;
      if (pause != null) {
        this.#become(item, "waiting");
        await this.#sleep(pause);
      }
    }
    this.running = false;
  }

  /** Tries once. Null when that is the end of it, else the milliseconds after which to try again. */
  async #post(item) {
    const backoff = Math.min(1000 * 2 ** this.failures, LONGEST_PAUSE) * (0.75 + Math.random() / 2);
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), SEND_TIMEOUT);
    try {
      const { id, text, button, files } = item;
      const response = await fetch(`${BASE}/messages`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "Accept-Language": this.locale, ...this.headers() },
        body: JSON.stringify({ id, text, button, files: files?.map((file) => file.id) }),
        signal: timeout.signal,
      });
      if (response.ok) {
        storage.set(`unsent:${id}`, null);
        this.#become(item, "sent");
        return null;
      }
      if (response.status === 401) return (await this.renew()) ? 0 : backoff;
      if ([408, 429].includes(response.status) || response.status >= 500) {
        const asked = Number(response.headers.get("Retry-After")) * 1000;
        return Math.max(asked || 0, backoff);
      }
      const said = await response.json().catch(() => ({}));
      item.why = said.message ?? "";
      item.error = said.error;
      this.#become(item, "refused");
      this.#keep(item);
      return null;
    } catch {
      return backoff;
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

  #keep(item) {
    storage.set(`unsent:${item.id}`, JSON.stringify(item));
  }

  #become(item, state) {
    // The transcript may bring a message before the answer to its POST: it is gone by then.
    if (!this.items.includes(item)) return;
    item.state = state;
    this.changed(item);
  }
}
