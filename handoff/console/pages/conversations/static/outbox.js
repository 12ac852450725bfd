// What was sent and is not known to be with the desk, oldest first.
//
// Every submission has an id that it keeps: what is sent again under it is one message, whichever window sends it. It
// is kept in the browser before it is sent, except for its files, which stay with the window that chose them. In one
// conversation one is sent at a time, in their order. What a window leaves behind, another one sends.

import { AGENT, kept, newId, parsed, ROOT, TAB } from "../components/keep.js";
import { say } from "../components/say.js";

const prefix = `outbox:${AGENT}:`;
const TIMEOUT = 15_000;
/** An upload that gets no further for so long has lost its line. */
const STALLED = 60_000;
const LONGEST_PAUSE = 20_000;
const SIGNED_OUT_PAUSE = 4_000;
/** So long after its last sign of life a window counts as closed; with files, which only it has, later. */
const GONE_AFTER = 45_000;
const GONE_WITH_FILES_AFTER = 5 * 60_000;


function valid(item) {
  return item && typeof item.id === "string" && typeof item.text === "string" && ["reply", "note"].includes(item.mode);
}

const typed = ({ text, names }) => [text, ...names].join("\n");

/**
 * Items are {id, conversation, who, mode, text, replyTo, names, at, state, why}. `changed(item)` is called with every
 * new `state`: sending; waiting (tried, will be tried again); signed-out (the same, once its agent signed in); sent
 * (the desk has it); refused (with `why`); gone.
 */
export class Outbox {
  #items = new Map();
  #files = new Map();
  #running = new Set();
  #pauses = new Set();

  constructor({ changed }) {
    this.changed = changed;
  }

  /** Goes on with what this tab, or one that is closed, left behind. */
  start() {
    for (const key of kept.keys(prefix)) this.#found(kept.get(key));
    addEventListener("storage", ({ key, newValue }) => {
      if (!key?.startsWith(prefix)) return;
      const item = parsed(newValue);
      if (item) this.#found(item);
      else this.#settledElsewhere(key.slice(prefix.length));
    });
    addEventListener("online", () => this.flush());
    addEventListener("pagehide", () => this.#leave());
    addEventListener("pageshow", ({ persisted }) => persisted && this.#lookRound());
    setInterval(() => this.#lookRound(), 10_000);
    this.flush();
  }

  get items() {
    return [...this.#items.values()].sort((one, other) => one.at - other.at);
  }

  /** Those of a conversation that are not known to be with the desk. */
  unsettled(conversation) {
    return this.items.filter((item) => item.conversation === conversation && item.state !== "sent");
  }

  /** Whether leaving the page would lose something. */
  get losesByLeaving() {
    const under = this.items.filter((item) => item.owner === TAB && item.state !== "sent");
    return under.some((item) => this.#files.has(item.id) || item.unkept);
  }

  files(id) {
    return this.#files.get(id) ?? [];
  }

  add(said, files = []) {
    const item = this.#made({ ...said, names: files.map((file) => file.name), state: "sending" });
    if (files.length) this.#files.set(item.id, files);
    this.#keep(item);
    this.changed(item);
    this.#run(item.conversation);
  }

  /** Words that are shown for their agent to decide on. */
  setAside(said, why) {
    const item = this.#made({ ...said, names: [], state: "refused", why });
    this.#keep(item);
    this.changed(item);
  }

  #made(said) {
    const last = this.items.at(-1);
    const item = { ...said, id: newId(), at: Math.max(Date.now(), last ? last.at + 1 : 0), owner: TAB, touched: Date.now() };
    this.#items.set(item.id, item);
    return item;
  }

  /** Sends what waits, now. */
  flush() {
    for (const wake of this.#pauses) wake();
    for (const { conversation } of this.items) this.#run(conversation);
  }

  /** Gives one up: the desk has it, or its agent wants it back. */
  drop(id) {
    kept.remove(prefix + id);
    this.#gone(id);
  }

  #gone(id) {
    const item = this.#items.get(id);
    this.#items.delete(id);
    this.#files.delete(id);
    if (item) this.#become(item, "gone", true);
  }

  /** Another window saw it in its thread, or gave up what was refused. */
  #settledElsewhere(id) {
    const item = this.#items.get(id);
    if (item?.owner === TAB && !["refused", "sent"].includes(item.state)) this.#become(item, "sent", true);
    else if (item?.state !== "sent") this.#gone(id);
  }

  /** An item that another window wrote, or this one before it was opened anew. */
  #found(item) {
    if (!valid(item)) return;
    const here = this.#items.get(item.id);
    if (here?.owner === TAB && item.owner !== "") return;
    this.#items.set(item.id, here ? Object.assign(here, item) : item);
    if (item.owner === TAB || item.owner === "") this.#adopt(this.#items.get(item.id));
    else this.changed(item);
  }

  #adopt(item) {
    item.owner = TAB;
    if (item.names.length && !this.#files.has(item.id) && item.state !== "refused") {
      item.state = "refused";
      item.why = say("console.script.closed_before");
    }
    this.#keep(item);
    this.changed(item);
    this.#run(item.conversation);
  }

  /** Says that this window lives, and goes on with what closed ones left. */
  #lookRound() {
    const now = Date.now();
    for (const item of this.items) {
      if (item.state === "refused" || item.state === "sent") continue;
      if (item.owner === TAB) this.#keep(item);
      else if (now - item.touched > (item.names.length ? GONE_WITH_FILES_AFTER : GONE_AFTER)) this.#adopt(item);
    }
  }

  /** The page is left: whichever window is open goes on. */
  #leave() {
    for (const item of this.items) {
      if (item.owner !== TAB || item.state === "sent" || item.state === "refused") continue;
      kept.set(prefix + item.id, { ...this.#plain(item), owner: "" }, typed(item));
    }
  }

  async #run(conversation) {
    if (this.#running.has(conversation)) return;
    this.#running.add(conversation);
    let failures = 0;
    const due = (item) => item.conversation === conversation && item.owner === TAB && !["sent", "refused"].includes(item.state);
    for (let item; (item = this.items.find(due)); ) {
      const pause = await this.#try(item, failures);
      failures = pause == null ? 0 : failures + 1;
      if (pause != null) await this.#sleep(pause);
    }
    this.#running.delete(conversation);
  }

  /** Tries once. Null when that is the end of it, else the milliseconds after which to try again. */
  async #try(item, failures) {
    const backoff = Math.min(1000 * 2 ** failures, LONGEST_PAUSE) * (0.75 + Math.random() / 2);
    const { status, said, retryAfter } = await this.#post(item);
    if (!this.#items.has(item.id) || item.state === "sent") return null;
    if (status === 200 && said?.message_id) {
      kept.remove(prefix + item.id);
      this.#become(item, "sent", true);
      return null;
    }
    if (status === 401) {
      this.#become(item, "signed-out");
      return SIGNED_OUT_PAUSE;
    }
    if (status < 400 || status >= 500 || status === 408 || status === 429) {
      this.#become(item, "waiting");
      return Math.max(retryAfter, backoff);
    }
    item.why = said?.problem ?? (status === 413 ? say("console.script.proxy_too_large") : say("console.script.refused", { status: String(status) }));
    this.#become(item, "refused");
    return null;
  }

  /** What the desk answers; status 0 where nothing came back. */
  #post(item) {
    const form = new FormData();
    const { id, text, mode, replyTo, asFiles } = item;
    for (const [name, value] of Object.entries({ text, mode, submission: id, agent: AGENT })) form.append(name, value);
    if (replyTo) form.append("reply_to", replyTo);
    if (asFiles) form.append("as_files", "1");
    for (const file of this.files(id)) form.append("files", file, file.name);
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      const length = this.#files.has(id) ? STALLED : TIMEOUT;
      let timer = setTimeout(() => request.abort(), length);
      request.upload.onprogress = ({ loaded, total, lengthComputable }) => {
        clearTimeout(timer);
        timer = setTimeout(() => request.abort(), length);
        if (lengthComputable && total > 200_000) this.#become(item, item.state, true, loaded / total);
      };
      request.onloadend = () => {
        clearTimeout(timer);
        const seconds = Number(request.getResponseHeader("Retry-After"));
        resolve({ status: request.status, said: parsed(request.responseText), retryAfter: Math.min(seconds || 0, 60) * 1000 });
      };
      request.open("POST", `${ROOT}conversations/${item.conversation}/messages`);
      request.setRequestHeader("Accept", "application/json");
      request.send(form);
    });
  }

  #sleep(milliseconds) {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#pauses.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, milliseconds);
      this.#pauses.add(wake);
    });
  }

  #plain({ progress: _, unkept: __, ...item }) {
    return item;
  }

  #keep(item) {
    item.touched = Date.now();
    item.unkept = !kept.set(prefix + item.id, this.#plain(item), typed(item));
  }

  #become(item, state, silently = false, progress = null) {
    item.state = state;
    item.progress = progress;
    if (!silently) this.#keep(item);
    this.changed(item);
  }
}
