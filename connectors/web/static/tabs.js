// The tabs of this browser in which the chat is open: each has a name, knows which others are there, and tells them things.

import { tabStorage } from "./storage.js";

/** Milliseconds in which a tab that is there answers. */
const ANSWER = 250;

const newName = () => Array.from(crypto.getRandomValues(new Uint32Array(2)), (number) => number.toString(36)).join("");

/** Does it in one tab after the other, where the browser can. */
export async function inTurn(name, work) {
  let begun = false;
  const begin = () => {
    begun = true;
    return work();
  };
  if (!navigator.locks) return begin();
  try {
    return await navigator.locks.request(`switchboard chat ${name}`, begin);
  } catch (error) {
    // Browsers that keep nothing of this site give no locks either.
    if (begun) throw error;
    return begin();
  }
}

export class Tabs {
  constructor() {
    this.name = tabStorage.get("tab") ?? newName();
    this.there = null;
    this.heard = {};
    if (typeof BroadcastChannel !== "undefined") {
      this.channel = new BroadcastChannel("switchboard-chat-tabs");
      this.channel.onmessage = ({ data }) => this.#hear(data);
    }
    addEventListener("pagehide", () => this.tell("left", this.name));
    /** Until then the name may be another tab's, of which this one was made. */
    const reloaded = performance.getEntriesByType("navigation")[0]?.type === "reload";
    this.ready = (reloaded ? Promise.resolve(new Set()) : this.others()).then((others) => {
      if (others.has(this.name)) this.name = newName();
      tabStorage.set("tab", this.name);
    });
  }

  /** `listener(value)` for what another tab tells under that name; "left" is told of each that goes. */
  on(name, listener) {
    this.heard[name] = listener;
  }

  tell(name, value) {
    this.channel?.postMessage({ name, value });
  }

  /** The names of the other tabs that answer. */
  others() {
    if (!this.channel) return Promise.resolve(new Set());
    this.asking ??= new Promise((resolve) => {
      this.there = new Set();
      this.tell("who", null);
      setTimeout(() => {
        this.asking = null;
        resolve(this.there);
      }, ANSWER);
    });
    return this.asking;
  }

  #hear({ name, value }) {
    if (name === "who") this.tell("here", this.name);
    else if (name === "here") this.there?.add(value);
    else this.heard[name]?.(value);
  }
}
