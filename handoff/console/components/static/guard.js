// What cannot be undone (`data-final`) and comes, or moves, by a change of the page can be pressed a second later: a
// press that was meant for what was there before does nothing.

const WAIT = 1000;

const finals = () => [...document.querySelectorAll("button[data-final]")];

/** Changes the page; what is final and came or moved by it waits. */
export function guarding(change) {
  const before = new Map(finals().map((button) => [button, button.getBoundingClientRect()]));
  const result = change();
  for (const button of finals()) {
    const [was, is] = [before.get(button), button.getBoundingClientRect()];
    if (!was || Math.abs(was.x - is.x) > 4 || Math.abs(was.y - is.y) > 4) guard(button);
  }
  return result;
}

/** Lets it be pressed a second later, and tells so by its event `released`. */
export function guard(button) {
  clearTimeout(Number(button.dataset.waiting));
  button.disabled = true;
  button.dataset.waiting = setTimeout(() => {
    delete button.dataset.waiting;
    button.disabled = false;
    button.dispatchEvent(new Event("released", { bubbles: true }));
  }, WAIT);
}
