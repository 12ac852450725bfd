// The desk's time. A visitor's clock may be wrong, or be set while the page is open; durations come from performance.now().

export class Clock {
  /** `now` is the desk's time when it made the page. */
  constructor(now) {
    this.#set(now);
  }

  /** An answer of the desk says what time it is there. */
  heard(response) {
    const date = response?.headers.get("date");
    if (date) this.#set(date);
  }

  get now() {
    return new Date(this.told + performance.now() - this.toldAt);
  }

  #set(date) {
    const told = Date.parse(date);
    if (Number.isNaN(told)) return;
    Object.assign(this, { told, toldAt: performance.now() });
  }
}
