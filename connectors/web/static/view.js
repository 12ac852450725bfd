// What of the conversation is in view. The newest message is seen from its beginning: where it is longer than the view, its
// first line is at the top, and its reader goes on by scrolling. Who scrolled up, or still reads, is not moved: a button
// says that there is news.

/** Pixels from the end within which a reader is at it. */
const NEAR = 40;
/** Pixels between the top of the view and the message that begins there. */
const MARGIN = 12;

export class View {
  /** `scroller` scrolls `column`; `news` is the button. */
  constructor({ scroller, column, news }) {
    Object.assign(this, { scroller, column, news });
    this.following = true; // what comes is brought into view
    this.reading = false; // the rest of a long message is yet below
    this.top = 0;
    this.coming = []; // messages that are not yet in view
    this.latest = null;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    const sizes = new ResizeObserver(() => this.#place());
    sizes.observe(scroller);
    sizes.observe(column);
  }

  toEnd() {
    this.following = true;
    this.reading = false;
    this.latest = null;
    this.coming = [];
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.top = this.scroller.scrollTop;
    this.news.hidden = true;
  }

  /** The conversation is shown from its last message: the desk's `element`, or another. */
  begin(element) {
    Object.assign(this, { following: true, reading: false, coming: element ? [element] : [] });
    this.news.hidden = true;
  }

  /** The desk's message `element` is shown. */
  show(element) {
    if (!this.following || this.reading) this.news.hidden = false;
    else this.coming.push(element);
  }

  get #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR;
  }

  #place() {
    if (!this.following) return;
    const { scroller, coming } = this;
    const room = scroller.clientHeight - MARGIN;
    // Of several at once that one which has to be read in parts, and else the last.
    if (coming.length) this.latest = coming.find((element) => element.offsetHeight > room) ?? coming[coming.length - 1];
    const others = coming.length && this.latest !== coming[coming.length - 1];
    this.coming = [];
    const end = Math.max(0, scroller.scrollHeight - scroller.clientHeight);
    const from = scroller.getBoundingClientRect().top;
    const begins = this.latest?.isConnected
      ? scroller.scrollTop + this.latest.getBoundingClientRect().top - from - MARGIN : end;
    scroller.scrollTop = Math.max(0, Math.min(end, begins));
    this.top = scroller.scrollTop;
    this.reading = !this.#isAtEnd;
    if (!this.reading) {
      this.latest = null;
      this.news.hidden = true;
    } else if (others) this.news.hidden = false;
  }

  /** Only a reader who scrolls stops following; that words arrive or a keyboard opens moves nobody away. */
  #scrolled() {
    const { scrollTop } = this.scroller;
    if (this.#isAtEnd) {
      Object.assign(this, { following: true, reading: false, latest: null });
      this.news.hidden = true;
    } else if (Math.abs(scrollTop - this.top) > 1) {
      this.following = false;
    }
    this.top = scrollTop;
  }
}
