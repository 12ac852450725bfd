// One file on its way to the desk.

import { backoff } from "./holder.js";
import { BASE } from "./line.js";
import { newId } from "./outbox.js";
import { parsed } from "./storage.js";

/** An upload that gets no further for so long has lost its line. */
const STALLED = 30_000;
/** Tries before its customer is asked; a browser that is online again tries anew. */
const TRIES = 4;
const LONGEST_PAUSE = 30_000;

/** For a header; half a surrogate pair, which a file's name may hold, cannot be encoded. */
function encoded(name) {
  try { return encodeURIComponent(name); } catch { return ""; }
}

/**
 * Brings `file` under one id, however often its line is cut: the desk keeps it once. `changed()` is called with every new
 * `state`: queued, sending (with `progress` from 0 to 1), trying (its line was lost), ready, failed (with `why`).
 */
export class Upload {
  constructor(file, { locale, say, headers, renew, changed }) {
    Object.assign(this, { file, locale, say, headers, renew, changed });
    this.begin();
  }

  /** As new: under an id of its own. */
  begin() {
    this.id = newId();
    this.name = this.file.name;
    this.size = this.file.size;
    this.picture = false;
    this.#become("queued");
  }

  /** Brings it; resolves when it is ready, failed or cancelled. */
  async run() {
    for (let tried = 1; this.state !== "cancelled"; tried += 1) {
      this.#become(tried > 1 ? "trying" : "sending");
      const { status, said, retryAfter } = await this.#post();
      if (this.state === "cancelled") return;
      if (status === 201 && said) {
        Object.assign(this, { name: said.name || this.name, size: said.size, picture: said.picture });
        return this.#become("ready");
      }
      if (status === 401 && tried < TRIES && (await this.renew())) continue;
      const passes = status === 0 || status === 400 || status === 408 || status >= 500 || said?.error === "too_fast";
      if (status === 0 && !(await this.#readable())) return this.#fail(this.say("chat.files.unreadable"), true);
      if (!passes || said?.error === "no_room_for_files") {
        // A proxy in front may take less than the desk, and has no words of its own for it.
        const why = said?.message ?? this.say(status === 413 ? "chat.files.too_large_here" : "chat.files.not_reached");
        return this.#fail(why, ![429, 503].includes(status));
      }
      if (tried >= TRIES) return this.#fail(this.say("chat.files.not_reached"));
      this.#become("trying");
      await this.#sleep(Math.max(retryAfter, backoff(tried, LONGEST_PAUSE)));
    }
  }

  /** After it failed, for another `run`. */
  again() {
    this.#become("queued");
  }

  cancel() {
    this.state = "cancelled";
    this.request?.abort();
    this.wake?.();
  }

  /** Ends a pause between two tries. */
  hurry() {
    this.wake?.();
  }

  #fail(why, forGood = false) {
    this.why = why;
    this.forGood = forGood;
    this.#become("failed");
  }

  #become(state, progress = 0) {
    if (this.state === "cancelled") return;
    this.state = state;
    this.progress = progress;
    this.changed(this);
  }

  /** What the desk answers; status 0 where nothing came back. By XMLHttpRequest: `fetch` does not tell how far it is. */
  #post() {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      this.request = request;
      let timer;
      const wait = () => {
        clearTimeout(timer);
        timer = setTimeout(() => request.abort(), STALLED);
      };
      request.upload.onprogress = ({ loaded, total }) => {
        wait();
        if (loaded) this.#become("sending", total ? loaded / total : 0);
      };
      request.onloadend = () => {
        clearTimeout(timer);
        const seconds = Number(request.getResponseHeader("Retry-After"));
        resolve({ status: request.status, said: parsed(request.responseText), retryAfter: Math.min(seconds || 0, 60) * 1000 });
      };
      request.open("POST", `${BASE}/uploads/${this.id}`);
      request.setRequestHeader("Accept-Language", this.locale);
      request.setRequestHeader("Switchboard-File-Name", encoded(this.file.name));
      for (const [name, value] of Object.entries(this.headers())) request.setRequestHeader(name, value);
      wait();
      request.send(this.file);
    });
  }

  /** A file may be changed, moved or deleted after it was chosen; a browser then sends none of it. */
  async #readable() {
    try {
      await this.file.slice(0, 1).arrayBuffer();
      return true;
    } catch {
      return false;
    }
  }

  #sleep(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => { clearTimeout(timer); resolve(); };
    });
  }
}
