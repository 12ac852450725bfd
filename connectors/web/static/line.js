// The line on which a visitor's messages come: the one stream of this browser (stream.js), and the transcript where there
// is none. Every tab shows the transcript up to a revision of its own.

import { Stream } from "./stream.js";

export const BASE = "/chat";
/** The desk tells so many messages or more only in several answers. */
const PART = 100;

/** The header by which the desk refuses a page that shows another visitor's transcript than the cookie's. */
export const VISITOR = "Switchboard-Visitor";

/**
 * `after()`: the revision up to which the page has everything. `received(message, read)`: a message, and the revision up
 * to which it has everything now. `typing()`: the assistant is writing. `late(late)`: whether messages do not come at present. `renew()`: the desk does not know
 * the visitor any more; resolves to whether the page has another one now.
 */
export class Line {
  constructor({ after, received, typing, late, renew, clock }) {
    Object.assign(this, { after, received, typing, late, renew, clock });
  }

  /** Follows the transcript of `visitor`, and no other. */
  open(visitor) {
    // Another one: the other tabs that showed the former find out for themselves.
    this.stream?.stir();
    this.stream?.close();
    this.visitor = visitor;
    this.stream = new Stream({
      name: `switchboard chat ${visitor}`,
      address: () => `${BASE}/events?after=${this.after()}`,
      headers: this.headers,
      poll: `${BASE}/messages`,
      catchUp: (signal) => this.#read(visitor, signal),
      received: ({ name, data, id }) => {
        if (name === "message") this.received(JSON.parse(data), Number(id));
        else if (name === "typing") this.typing();
      },
      late: this.late,
    });
  }

  /** Of whatever is asked for this visitor. */
  get headers() {
    return { [VISITOR]: this.visitor };
  }

  async #read(visitor, signal) {
    for (let part = PART; part >= PART; ) {
      const answer = await fetch(`${BASE}/messages?after=${this.after()}`, { headers: this.headers, cache: "no-store", signal });
      this.clock.heard(answer);
      if (answer.status === 401 && (await this.renew())) return;
      if (!answer.ok) throw new Error(`the desk answers ${answer.status}`);
      const { messages } = await answer.json();
      if (visitor !== this.visitor) return;
      part = this.after() ? messages.length : 0;
      const read = Math.max(this.after(), ...messages.map(({ revision }) => revision));
      // As the conversation goes; all of it is read only with the last.
      messages.sort((one, other) => one.cursor - other.cursor);
      messages.forEach((message, index) => this.received(message, index === messages.length - 1 ? read : 0));
    }
  }
}
