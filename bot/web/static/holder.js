// The holder of a browser's one stream: see stream.js. It knows no page, and may live in a shared worker, as whose script
// this file serves as well.

/** Milliseconds. The desk says something every four seconds; a stream silent for longer than this is dead. */
export const SILENCE = 7_500;
/** After which the headers of an answer no longer come. */
const PATIENCE = 10_000;
/** Between two looks whether it is so. */
const TICK = 500;
const LONGEST_PAUSE = 10_000;
/** The desk says by Retry-After when a stream is wanted again; more than this is not believed. */
const LONGEST_WISH = 120_000;

/** About so many milliseconds: what broke for many at once is not mended for all at once. */
export const later = (milliseconds) => milliseconds * (0.75 + Math.random() / 2);
export const backoff = (failures) => later(Math.min(1000 * 2 ** Math.max(0, failures - 1), LONGEST_PAUSE));

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
 * Holds the stream at `address` and passes on what it hears, until it is ended. Opens it again after every break,
 * behind the last event that had an id.
 *
 * What it posts to the tabs: {from, count, live, refused, age, held, events}. `count` grows by one with every post that
 * has events, by which a tab sees a gap; `age` are the milliseconds since the desk was heard, `held` since it began;
 * `refused` says that the desk gave no stream.
 * What tabs may post to it: {ask} for such a word, {again} when the desk can be reached.
 */
export class Holder {
  constructor(port, { address, headers }) {
    this.id = Math.random().toString(36).slice(2);
    this.port = port;
    this.address = address;
    this.headers = headers;
    this.began = performance.now();
    this.heard = this.began;
    this.count = 0;
    this.live = false;
    this.refused = false;
    this.failures = 0;
    this.retry = 1000;
    this.wake = () => {};
    port.onmessage = ({ data }) => {
      this.check();
      if (data.ask) this.#tell([]);
      if (data.again && !this.refused) this.wake();
    };
    this.checking = setInterval(() => this.check(), TICK);
    this.#tell([]);
    this.#run();
  }

  end() {
    this.ended = true;
    this.live = false;
    clearInterval(this.checking);
    this.closing?.abort();
    this.wake();
    this.port.close();
  }

  /** Gives up a stream on which nothing comes. */
  check() {
    const silent = performance.now() - this.heard;
    if (this.closing && silent > (this.live ? SILENCE : PATIENCE)) this.closing.abort();
  }

  async #run() {
    while (!this.ended) {
      const wish = await this.#listen().catch(() => 0);
      if (this.ended) return;
      this.closing = null;
      this.refused = wish > 0;
      this.failures = this.live ? 0 : this.failures + 1;
      this.live = false;
      this.#tell([]);
      await this.#sleep(Math.max(wish, this.failures ? backoff(this.failures) : later(this.retry)));
    }
  }

  /** Opens the stream and reads it to its end. Returns the milliseconds after which the desk wants to see it again. */
  async #listen() {
    this.closing = new AbortController();
    this.heard = performance.now();
    const response = await fetch(this.address, {
      headers: { Accept: "text/event-stream", ...(this.last ? { "Last-Event-ID": this.last } : {}), ...this.headers },
      cache: "no-store",
      redirect: "manual",
      signal: this.closing.signal,
    });
    if (!response.ok || !response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
      response.body?.cancel();
      const asked = Number(response.headers.get("Retry-After")) * 1000 || 0;
      return Math.max(1000, Math.min(asked, LONGEST_WISH));
    }
    for await (const events of eventsOf(response.body)) {
      if (this.ended) return 0;
      this.heard = performance.now();
      this.live = true;
      this.refused = false;
      for (const { id, retry } of events) {
        if (id != null) this.last = id;
        if (retry != null) this.retry = Math.max(100, Math.min(retry, LONGEST_WISH));
      }
      this.#tell(events.filter((event) => event.data != null));
    }
    return 0;
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
