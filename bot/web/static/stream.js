// One stream of server-sent events for all tabs of a browser: over HTTP/1.1 a browser has six connections for a whole
// site, and six tabs with a stream each would leave none for anything else.
//
// Somewhere in the browser lives one `Holder`, which holds the stream and passes on what it hears. Every tab is a
// `Stream`, which listens to the holder, also the tab in which the holder lives. Where it lives:
//   1. in the tab that has the lock of the stream's name (Web Locks);
//   2. in a shared worker, where there are no locks: pages served without TLS have none;
//   3. in each tab, while it is visible, where there is neither.
//
// Where no stream passes between desk and browser, the holder polls in its place (holder.js), and tabs notice nothing.
//
// A tab that came later, slept, or heard the holder's messages with a gap reads once what it may have missed, and goes
// on listening. While there is no stream, visible tabs read every few seconds. So a page is late only when it neither
// heard nor could read anything for some seconds, and then it says so.

import { Holder, SILENCE, backoff, later } from "./holder.js";

/** The folder of the page's version: tabs share a stream with those whose scripts are the same. */
const VERSION = new URL(".", import.meta.url).pathname;

/** Milliseconds after which a tab that neither heard nor read anything is late. */
const LATE = 8_800;
/** After which a read is given up. */
const READ = 6_000;
/** Between two reads of a tab without a stream, and of a hidden one. */
const POLL = 5_000;
const POLL_HIDDEN = 30_000;
/** Between two looks at all this. */
const TICK = 500;
/** After which a visible and a hidden tab ask a silent holder whether it is there, and how long they wait for its word. */
const ASK = 1_000;
const ASK_HIDDEN = 6_000;
const ANSWER = 1_500;
/** In which a holder must get a stream that the desk does not refuse, or another tab tries. */
const TRY = 10_000;
/** How long a tab that took the stream is slower to do so again: perhaps it is the whole computer that is slow. */
const CALM = 30_000;

/** The holder lives in the tab that has the lock. Whoever waits for it gets it in the moment that tab ends. */
class Locked {
  constructor(stream) {
    this.stream = stream;
    this.leaving = new AbortController();
    this.left = new Promise((resolve) => this.leaving.signal.addEventListener("abort", resolve));
    stream.listen(new BroadcastChannel(stream.name));
    this.#queue();
  }

  /** For when the tab with the lock hangs: takes it away. */
  take() {
    this.#hold({ steal: true });
  }

  leave() {
    this.leaving.abort();
  }

  async #queue() {
    await this.stream.ready;
    while (!this.leaving.signal.aborted) await this.#hold({ signal: this.leaving.signal });
  }

  async #hold(options) {
    let holder;
    try {
      await navigator.locks.request(this.stream.name, options, () => {
        if (this.leaving.signal.aborted) return null;
        holder = this.stream.hold(new BroadcastChannel(this.stream.name));
        return this.left;
      });
    } catch (error) {
      // AbortError: another tab took it, or this one leaves.
      if (error.name !== "AbortError" && !this.leaving.signal.aborted) this.stream.settle(Alone);
    } finally {
      holder?.end();
    }
  }
}

/** The holder lives in a shared worker, as long as any tab of that name. */
class Working {
  constructor(stream) {
    stream.listen(new BroadcastChannel(stream.name));
    this.#begin(stream);
  }

  take() {}

  leave() {
    this.gone = true;
    this.worker?.port.postMessage({ source: null });
    this.worker?.port.close();
  }

  async #begin(stream) {
    await stream.ready;
    if (this.gone) return;
    try {
      this.worker = new SharedWorker(new URL("holder.js", import.meta.url), { type: "module", name: stream.name });
      this.worker.onerror = () => this.gone || stream.settle(Alone);
      this.worker.port.postMessage({ source: stream.source() });
    } catch {
      stream.settle(Alone);
    }
  }
}

/** Every tab has a holder of its own, while it is visible. */
class Alone {
  constructor(stream) {
    this.stream = stream;
    this.turn = () => {
      this.holder?.end();
      if (document.visibilityState !== "visible") return;
      const { port1, port2 } = new MessageChannel();
      stream.listen(port1);
      this.holder = stream.hold(port2);
    };
    stream.ready.then(() => {
      if (this.gone) return;
      this.turn();
      document.addEventListener("visibilitychange", this.turn);
    });
  }

  take() {}

  leave() {
    this.gone = true;
    document.removeEventListener("visibilitychange", this.turn);
    this.holder?.end();
  }
}

function bestPlace() {
  if (typeof BroadcastChannel === "undefined") return Alone;
  if (navigator.locks) return Locked;
  return typeof SharedWorker === "undefined" ? Alone : Working;
}

/**
 * A tab's part in the one stream of its browser. Begins by reading, and ends with `close()` or the page.
 *
 * `name`: of the stream; tabs share it, so no two people's may have the same.
 * `address()`: of the stream, for the tab that opens it, which misses nothing of what is behind this address.
 * `headers`: of its request.
 * `poll`: where the holder asks for news in place of the stream, if there is such an address.
 * `catchUp(signal)`: reads what the tab may have missed; rejects if the desk cannot be reached. Until it is done no
 *    event is passed on; those that come meanwhile are passed on after it.
 * `received({name, data, id})`: an event. The same one may come twice, or be known from `catchUp`.
 * `late(late)`: whether news do not come at present.
 */
export class Stream {
  constructor({ name, address, headers = {}, poll = null, catchUp, received, late }) {
    Object.assign(this, { address, headers, poll, catchUp, received, late });
    // Tabs from before and after an upgrade do not share: they may not understand one another.
    this.name = `${name} ${VERSION}`;
    this.isLate = false;
    this.failures = 0;
    this.closing = new AbortController();
    this.#listenTo(window, "pagehide", () => this.#leave());
    this.#listenTo(window, "pageshow", (event) => event.persisted && this.#enter());
    this.#listenTo(document, "freeze", () => this.#leave());
    this.#listenTo(document, "resume", () => this.#enter());
    this.#listenTo(document, "visibilitychange", () => this.#shown());
    this.#listenTo(window, "online", () => this.#hurry());
    this.#enter();
  }

  /** Leaves the stream to the other tabs. */
  close() {
    this.closed = true;
    this.closing.abort();
    this.#leave();
  }

  /** Has every other tab of this name catch up now. */
  stir() {
    this.#post({ stir: true });
  }

  // --- for the place in which the holder lives -----------------------------------------------------------------

  source() {
    return { address: this.address(), headers: this.headers, poll: this.poll };
  }

  hold(port) {
    const holder = new Holder(port, this.source());
    this.own = holder.id;
    return holder;
  }

  listen(port) {
    this.port?.close();
    this.port = port;
    port.onmessage = ({ data }) => this.#hear(data);
    this.#post({ ask: true });
  }

  settle(Place) {
    this.place?.leave();
    this.place = new Place(this);
  }

  // --- the tab -------------------------------------------------------------------------------------------------

  #listenTo(target, name, listener) {
    target.addEventListener(name, listener, { signal: this.closing.signal });
  }

  #enter() {
    if (this.place || this.closed) return;
    const now = performance.now();
    Object.assign(this, { from: null, count: 0, live: false, behind: true, held: null, asked: null, began: -Infinity, took: -Infinity });
    Object.assign(this, { heard: now, fresh: now, answered: now, ticked: now, trying: now, shown: now, due: now });
    let begin;
    this.ready = new Promise((resolve) => { begin = resolve; });
    this.settle(bestPlace());
    // Whoever opens the stream has read before: it begins behind that. Not if reading takes long.
    setTimeout(begin, 2_000);
    this.#read().then(begin);
    this.ticking = setInterval(() => this.#tick(), TICK);
  }

  #leave() {
    clearInterval(this.ticking);
    this.place?.leave();
    this.port?.close();
    this.place = this.port = null;
  }

  #hear({ from, count, live, refused, age, held, events, stir }) {
    if (stir) this.#miss();
    if (!from) return; // a tab said it, not the holder
    const now = performance.now();
    this.answered = now;
    this.asked = null;
    // Another holder: what the one before told the others and not this tab, it will not tell again.
    const gap = from === this.from ? count !== this.count + (events.length ? 1 : 0) : from !== this.own && this.began < now - held;
    if (live || refused || from !== this.from) this.trying = now;
    Object.assign(this, { from, count, live });
    if (live) this.heard = Math.max(this.heard, now - age);
    if (gap || (live && this.behind)) this.#miss();
    else if (this.held) this.held.push(...events);
    else if (!this.behind) events.forEach(this.received);
    this.#say();
  }

  #miss() {
    this.behind = true;
    this.#read();
  }

  /** Reads once what may have been missed, unless it is being done. */
  async #read() {
    if (this.held || !this.place) return;
    const held = [];
    const giveUp = new AbortController();
    let timer;
    const tired = new Promise((resolve) => {
      timer = setTimeout(() => { giveUp.abort(); resolve(false); }, READ);
    });
    Object.assign(this, { held, behind: false, began: performance.now() });
    const reached = await Promise.race([tired, this.catchUp(giveUp.signal).then(() => true, () => false)]);
    clearTimeout(timer);
    if (this.held !== held || !this.place) return; // the page was left meanwhile
    const now = performance.now();
    this.held = null;
    if (reached) {
      this.failures = 0;
      this.fresh = now;
      this.due = now + (this.behind ? 0 : later(this.#visible ? POLL : POLL_HIDDEN));
      if (!this.behind) held.forEach(this.received);
      if (!this.live && now - this.trying > TRY && this.from !== this.own) this.#take();
      else if (!this.live) this.#post({ again: true });
    } else {
      this.failures += 1;
      this.behind = true;
      this.due = now + backoff(this.failures);
    }
    this.#say();
  }

  #tick() {
    const now = performance.now();
    // A tab that stood still itself has yet to hear what was said meanwhile.
    const stood = now - this.ticked > 4 * TICK;
    this.ticked = now;
    if (stood) this.asked = null;
    if (this.asked != null && now > this.asked) {
      this.#take();
    } else if (this.asked == null && now - this.answered > (this.#visible ? ASK : ASK_HIDDEN)) {
      this.asked = now + later(now - this.took < CALM ? 3 * ANSWER : ANSWER);
      this.#post({ ask: true });
    }
    const silent = !this.live || now - this.heard > SILENCE;
    if ((this.behind || silent) && now >= this.due) this.#read();
    if (!stood) this.#say();
  }

  #take() {
    this.asked = null;
    this.answered = this.took = this.trying = performance.now();
    this.place.take();
  }

  #say() {
    const now = performance.now();
    const late = this.failures > 1 || now - Math.max(this.heard, this.fresh) > LATE;
    // Nobody sees a hidden tab, and one that comes to light first looks for itself.
    if (late === this.isLate || (late && (!this.#visible || now - this.shown < 2 * TICK))) return;
    this.isLate = late;
    this.late(late);
  }

  #shown() {
    if (!this.#visible || !this.place) return;
    this.shown = performance.now();
    // Whatever became of the line meanwhile, of the desk, or of who is signed in.
    this.#miss();
    this.#hurry();
  }

  #hurry() {
    if (!this.place) return;
    this.due = performance.now();
    this.#post({ again: true });
    this.#tick();
  }

  /** To the holder; there may be none yet. */
  #post(message) {
    this.port?.postMessage(message);
  }

  get #visible() {
    return document.visibilityState === "visible";
  }
}
