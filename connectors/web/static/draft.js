// What is written and not yet sent, kept over reloads: every tab has a draft of its own. A tab that is opened without one
// goes on with that of a tab that is there no more. It is put into storage when the page is left or out of sight, and not
// while it grows, for its beginning tells nothing of what it becomes; what may be a secret never is.

import { mayBeSecret } from "./maybe_secret.js";
import { parsed, storage } from "./storage.js";
import { inTurn } from "./tabs.js";

/** So many drafts of tabs that are gone are kept. */
const KEPT = 5;

export class Draft {
  constructor(tabs) {
    this.tabs = tabs;
    this.text = parsed(storage.get(`draft:${tabs.name}`))?.text ?? "";
    this.number = null;
    addEventListener("pagehide", () => this.#store());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.#store();
    });
  }

  keep(text) {
    this.text = text;
    if (!text || mayBeSecret(text)) this.#store();
  }

  #store() {
    const { text } = this;
    this.number ??= 1 + Math.max(0, ...this.#all().map(({ number }) => number));
    const kept = text && !mayBeSecret(text) ? JSON.stringify({ number: this.number, text }) : null;
    storage.set(`draft:${this.tabs.name}`, kept);
  }

  /** The words with which to go on where nothing has been written meanwhile; null where there are none. */
  async adopt() {
    await this.tabs.ready;
    if (this.text) {
      this.#store(); // perhaps under another name
      return null;
    }
    return inTurn("drafts", async () => {
      const others = await this.tabs.others();
      const left = this.#all().filter(({ tab }) => tab !== this.tabs.name && !others.has(tab));
      left.slice(KEPT).forEach(({ key }) => storage.set(key, null));
      if (!left.length || this.text) return null;
      storage.set(left[0].key, null);
      return left[0].text;
    });
  }

  /** Of all tabs. */
  forget() {
    this.text = "";
    this.#all().forEach(({ key }) => storage.set(key, null));
  }

  /** All drafts, the newest first. Those from before tabs had their own are under "draft". */
  #all() {
    const all = storage.under("draft").map(([key, value]) => {
      const { number = 0, text = value } = parsed(value) ?? {};
      return { key, tab: key.slice("draft:".length), number, text };
    });
    return all.sort((one, other) => other.number - one.number);
  }
}
