// The holder of a browser's one stream: see stream.js. It knows no page, and may live in a shared worker, as whose script
// this file serves as well.

/** Milliseconds. The desk says something every four seconds; a stream silent for longer than this is dead. */
export const SILENCE = 7_500;
/** After which the headers of an answer no longer come. */
const PATIENCE = 10_000;
/** Between two looks whether it is so. */
const TICK = 500;
const LONGEST_PAUSE = 10_000;
/** The same while what the stream would bring comes by polls. */
const PAUSE_WITH_POLLS = 60_000;
/** A stream that broke sooner was cut by something on the way, and counts as a failure. */
const STEADY = 10_000;
/** After which a stream on which nothing came yet is held back on the way: polls begin beside it. */
const HELD_BACK = 2_000;
/** So long after the desk could be reached polls are worth a try. */
const REACHED = 10_000;
/** Seconds that the desk keeps a poll waiting for news: less than tabs take for a dead line. */
const WAIT = 5;
/** Milliseconds that the answer may take beyond that. */
const GRACE = 6_000;
/** A poll that broke later than this was waiting, and shorter ones may pass. */
const WAITED = 700;
/** From the beginning of one poll to the next, where the desk does not keep them waiting. */
const POLL_EVERY = 1_500;
/** After so many polls in a row the desk is asked to keep them waiting longer again. */
const MANY = 30;
/** The desk says by Retry-After when a stream is wanted again; more than this is not believed. */
const LONGEST_WISH = 120_000;

/** About so many milliseconds: what broke for many at once is not mended for all at once. */
export const later = (milliseconds) => milliseconds * (0.75 + Math.random() / 2);
export const backoff = (failures, longest = LONGEST_PAUSE) => later(Math.min(1000 * 2 ** Math.max(0, failures - 1), longest));
/** The milliseconds after which the desk wants to be asked again, as far as it says and is believed. */
export const wishOf = (response) => Math.min(Number(response.headers.get("Retry-After")) * 1000 || 0, LONGEST_WISH);

/** The events of a response's body, as they come: arrays of {name, data, id, retry}. */
async function* eventsOf(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop();
    const events = blocks.map(parse).filter((event) => event.retry != null || event.data != null);
    if (events.length) yield events;
  }
}

function parse(block) {
  const event = { name: "message", data: null, id: null, retry: null };
  for (const line of block.split("\n")) {
    const [, field, value] = line.match(/^(\w+): ?(.*)$/s) ?? [];
    if (field === "event") event.name = value;
    else if (field === "data") event.data = event.data == null ? value : `${event.data}\n${value}`;
    else if (field === "id") event.id = value;
    else if (field === "retry" && /^\d+$/.test(value)) event.retry = Number(value);
  }
  return event;
}

/**
 * What a poll brings, as if the stream had: the answer of `poll` with ?after= and ?wait= is JSON,
 * {messages: [{cursor, revision, …}], typing}, and comes with the first news, or after so many seconds.
 * The last event has as its id the revision behind which to ask next.
 */
function eventsIn({ messages, typing }, after) {
  const read = Math.max(Number(after), ...messages.map(({ revision }) => revision));
  messages.sort((one, other) => one.cursor - other.cursor);
  const events = messages.map((message, index) => ({
    name: "message", data: JSON.stringify(message), id: index === messages.length - 1 ? String(read) : null,
  }));
  return typing ? [...events, { name: "typing", data: "{}", id: null }] : events;
}

/**
 * Holds the stream at `address` and passes on what it hears, until it is ended. Opens it again after every break,
 * behind the last event that had an id.
 *
 * Some proxies and virus scanners hold a stream back until it is complete, which it never is, or cut it after some
 * seconds. Where two streams in a row came to nothing, or one brings nothing though the desk can be reached, the holder
 * asks at `poll`, if it is given that, for what comes next, again and again, until a stream works. What is cut even so
 * is asked for with shorter waits.
 *
 * What it posts to the tabs: {from, count, live, refused, age, held, events}. `count` grows by one with every post that
 * has events, by which a tab sees a gap; `live` says that the desk is heard, `age` are the milliseconds since it was,
 * `held` since it began; `refused` says that the desk gave no stream.
 * What tabs may post to it: {ask} for such a word, {again} when the desk can be reached.
 */
export class Holder {
  constructor(port, { address, headers, poll }) {
    this.id = Math.random().toString(36).slice(2);
    this.port = port;
    this.address = address;
    this.headers = headers;
    this.poll = poll;
    this.began = performance.now();
    this.heard = this.began;
    this.listened = this.began; // when the stream was heard last, or opened
    this.reached = this.began; // a tab has just read
    this.count = 0;
    this.streaming = false;
    this.polled = false; // the last poll was answered
    this.refused = false;
    this.failures = 0;
    this.retry = 1000;
    this.wait = WAIT;
    this.wake = () => {};
    port.onmessage = ({ data }) => {
      if (data.again) this.reached = performance.now();
      this.check();
      if (data.ask) this.#tell([]);
      if (data.again && !this.refused) this.wake();
    };
    this.checking = setInterval(() => this.check(), TICK);
    this.#tell([]);
    this.#run();
  }

  get live() {
    return this.streaming || this.polled;
  }

  end() {
    this.ended = true;
    this.streaming = this.polled = false;
    clearInterval(this.checking);
    this.closing?.abort();
    this.polling?.abort();
    this.wake();
    this.port.close();
  }

  /** Gives up a stream on which nothing comes; begins to poll where there is none. */
  check() {
    const now = performance.now();
    const silent = now - this.listened;
    if (this.closing && silent > (this.streaming ? SILENCE : PATIENCE)) this.closing.abort();
    const heldBack = this.failures > 1 || this.refused || (this.closing && silent > HELD_BACK);
    if (this.poll && !this.polling && !this.streaming && heldBack && now - this.reached < REACHED) this.#poll();
  }

  async #run() {
    while (!this.ended) {
      const wish = await this.#listen().catch(() => 0);
      if (this.ended) return;
      const worked = this.streaming;
      const steady = worked && (!this.poll || performance.now() - this.opened > STEADY);
      this.closing = null;
      this.refused = wish > 0;
      this.failures = steady ? 0 : this.failures + 1;
      this.streaming = false;
      this.check();
      this.#tell([]);
      const again = worked && this.failures < 2 ? later(this.retry) : backoff(this.failures, this.polling ? PAUSE_WITH_POLLS : LONGEST_PAUSE);
      await this.#sleep(Math.max(wish, again));
    }
  }

  /** Opens the stream and reads it to its end. Returns the milliseconds after which the desk wants to see it again. */
  async #listen() {
    this.closing = new AbortController();
    this.listened = this.opened = performance.now();
    const response = await fetch(this.address, {
      headers: { Accept: "text/event-stream", ...(this.last ? { "Last-Event-ID": this.last } : {}), ...this.headers },
      cache: "no-store",
      redirect: "manual",
      signal: this.closing.signal,
    });
    if (!response.ok || !response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      response.body?.cancel();
      return Math.max(1000, wishOf(response));
    }
    for await (const events of eventsOf(response.body)) {
      if (this.ended) return 0;
      this.listened = performance.now();
      this.streaming = true;
      this.polling?.abort();
      this.refused = false;
      for (const { retry } of events) {
        if (retry != null) this.retry = Math.max(100, Math.min(retry, LONGEST_WISH));
      }
      this.#hear(events.filter((event) => event.data != null));
    }
    return 0;
  }

  /** Polls until a stream works, or two polls in a row come to nothing. */
  async #poll() {
    const polling = this.polling = new AbortController();
    for (let failures = 0, answered = 0; failures < 2 && !polling.signal.aborted; ) {
      const began = performance.now();
      const found = await this.#ask(polling.signal).catch(() => null);
      if (this.ended || (!found && polling.signal.aborted)) break;
      const took = performance.now() - began;
      if (found?.events) {
        failures = 0;
        this.polled = true;
        this.#hear(found.events);
        if (++answered % MANY === 0) this.wait = Math.min(WAIT, this.wait + 1);
        // News come one after the other, as an answer does after a question.
        if (!found.events.length) await this.#sleepAtMost(POLL_EVERY - took, polling.signal);
      } else {
        failures += 1;
        answered = 0;
        // Something cut it while it waited.
        if (!found && took > WAITED) this.wait = Math.floor(Math.min(this.wait, took / 1000) / 2);
        await this.#sleepAtMost(Math.max(found?.wish ?? 0, took > WAITED ? 0 : backoff(failures)), polling.signal);
      }
    }
    this.polling = null;
    if (!this.ended && this.polled) {
      this.polled = false;
      this.#tell([]);
    }
  }

  /** One poll: {events}, or {wish} where the desk has no place for it; rejects where no whole answer came. */
  async #ask(ending) {
    const after = this.last ?? new URL(this.address, location.href).searchParams.get("after") ?? "0";
    const giveUp = new AbortController();
    const end = () => giveUp.abort();
    const timer = setTimeout(end, this.wait * 1000 + GRACE);
    ending.addEventListener("abort", end);
    try {
      const response = await fetch(`${this.poll}?after=${after}&wait=${this.wait}`, {
        headers: this.headers, cache: "no-store", redirect: "manual", signal: giveUp.signal,
      });
      if (!response.ok) {
        response.body?.cancel();
        return { wish: Math.max(1000, wishOf(response)) };
      }
      const told = await response.json();
      if (told.error) return { wish: 1000 };
      return { events: eventsIn(told, after) };
    } finally {
      clearTimeout(timer);
      ending.removeEventListener("abort", end);
    }
  }

  #hear(events) {
    this.heard = performance.now();
    for (const { id } of events) {
      if (id != null) this.last = id;
    }
    this.#tell(events);
  }

  #tell(events) {
    if (this.ended) return;
    if (events.length) this.count += 1;
    const now = performance.now();
    const { id: from, count, live, refused } = this;
    this.port.postMessage({ from, count, live, refused, age: now - this.heard, held: now - this.began, events });
  }

  #sleep(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => { clearTimeout(timer); resolve(); };
    });
  }

  #sleepAtMost(milliseconds, signal) {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end); // one signal is for hours of polls
        resolve();
      };
      const timer = setTimeout(end, Math.max(0, milliseconds));
      signal.addEventListener("abort", end);
    });
  }
}

if (typeof SharedWorkerGlobalScope !== "undefined" && self instanceof SharedWorkerGlobalScope) {
  /** The tabs that want the stream. The worker lives on while they show something else. */
  const tabs = new Set();
  let holder;
  self.onconnect = ({ ports: [port] }) => {
    port.onmessage = ({ data: { source } }) => {
      if (source) tabs.add(port);
      else tabs.delete(port);
      if (source) holder ??= new Holder(new BroadcastChannel(self.name), source);
      else if (!tabs.size) holder = holder?.end();
    };
  };
}
