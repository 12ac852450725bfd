// Who the visitor is: a cookie that scripts cannot read, of which the page knows the mark. How it is renewed, how the visitor
// leaves, and in which language they want to go on.

import { BASE, VISITOR } from "./line.js";
import { SEND_TIMEOUT } from "./outbox.js";
import { storage, tabStorage } from "./storage.js";
import { inTurn } from "./tabs.js";

/** The answer, or null where none comes within some seconds. */
async function ask(address, headers = {}, more = {}) {
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), SEND_TIMEOUT);
  return fetch(address, { headers, cache: "no-store", signal: giveUp.signal, ...more }).catch(() => null).finally(() => clearTimeout(timer));
}

/**
 * `begin()`: the page shows an empty conversation; `forget()`: it forgets what was written and not sent; `renewed()`:
 * the visitor is another one; `ended()`: it says that the chat was ended; `refused(so)`: whether the browser keeps no cookies.
 */
export class Visit {
  constructor({ line, locale, tabs, begin, forget, renewed, ended, refused }) {
    Object.assign(this, { line, locale, tabs, begin, forget, renewed, ended, refused });
    this.renewing = null;
    tabs.on("ended", (visitor) => this.#leave(visitor));
  }

  /** The desk does not know this visitor (any more). Fetching the page brings a new cookie, and an empty history. */
  renew() {
    // One tab after the other: or each would get a cookie of its own.
    this.renewing ??= inTurn("renewal", async () => {
      const opened = await ask(BASE);
      if (!opened?.ok) return false;
      const visitor = opened.headers.get(VISITOR);
      const known = await ask(`${BASE}/messages`, { [VISITOR]: visitor });
      this.refused(known?.status === 401);
      if (!known?.ok) return false;
      // Ended in another tab, while this one could not be told.
      if (storage.get("ended") === this.line.visitor) this.forget();
      this.begin();
      this.line.open(visitor);
      this.renewed();
      return true;
    }).finally(() => { this.renewing = null; });
    return this.renewing;
  }

  /** The desk forgets this browser, and the browser the conversation, in all tabs. False if the desk could not be asked. */
  async end() {
    const { visitor, headers } = this.line;
    const answer = await ask(`${BASE}/end`, headers, { method: "POST" });
    // 401: it is forgotten already, or the cookie is another's by now.
    if (!answer?.ok && answer?.status !== 401) return false;
    this.tabs.tell("ended", visitor);
    await this.#leave(visitor);
    return true;
  }

  async #leave(visitor) {
    if (visitor !== this.line.visitor) return;
    storage.set("ended", visitor);
    this.forget();
    this.begin();
    await this.renew();
    this.ended();
  }

  /** The desk is to go on in the language that was chosen on the page. */
  async tellLanguage() {
    const told = `${this.line.visitor} ${this.locale}`;
    if (!new URLSearchParams(location.search).has("lang") || tabStorage.get("language") === told) return;
    const headers = { "Content-Type": "application/json", ...this.line.headers };
    const answer = await ask(`${BASE}/language`, headers, { method: "POST", body: JSON.stringify({ language: this.locale }) });
    if (answer?.ok) tabStorage.set("language", told);
  }
}
