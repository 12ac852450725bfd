// Puts what the server sent into the page, without touching what its reader does there. Idiomorph does it; what stands
// here is what of a page is its reader's.

/** What the server sent for an element with an id, before the page changed it. */
const sources = new WeakMap();

export function remember(root) {
  for (const element of [root, ...root.querySelectorAll("[id]")]) sources.set(element, element.outerHTML);
}

const element = (node) => node.nodeType === Node.ELEMENT_NODE;

/** What was sent just so before stays as it is, whatever the page or its reader made of it. */
function unchanged(old, fresh) {
  if (!fresh.id || old.id !== fresh.id) return false;
  const source = fresh.outerHTML;
  if (sources.get(old) === source) return true;
  sources.set(old, source);
  return false;
}

/** Lets an element be changed again that was kept: what the server sent meanwhile for it, and around it, is not there. */
export function release(kept) {
  kept.removeAttribute("data-keep");
  for (let one = kept; one; one = one.parentElement) sources.delete(one);
}

/** Whether a secret was removed from it since: that is shown, whatever its reader does there. */
function cleaned(old, fresh) {
  return Boolean(fresh.dataset?.removed) && fresh.dataset.removed !== old.dataset.removed;
}

/**
 * Makes the children of `target` those of `fragment`. What is there already is changed, not replaced: text that is
 * typed or selected, focus and scroll are not touched.
 *
 * `data-keep`: never changed, unless a secret was removed there (`data-removed`). `data-stay`: not removed by an update. What the reader had opened stays open, and what
 * they chose stays chosen. Returns the elements that are new, or ask the desk for something else than before.
 */
export function merge(target, fragment) {
  const added = new Set();
  const choices = new Map();
  window.Idiomorph.morph(target, [...fragment.childNodes], {
    morphStyle: "innerHTML",
    restoreFocus: false,
    callbacks: {
      beforeNodeMorphed(old, fresh) {
        if (!element(old)) return true;
        if (cleaned(old, fresh)) release(old);
        if (old.hasAttribute("data-keep") || unchanged(old, fresh)) return false;
        if (old.matches("select")) choices.set(old, old.value);
        return true;
      },
      afterNodeMorphed(old) {
        if (choices.has(old) && [...old.options].some(({ value }) => value === choices.get(old))) old.value = choices.get(old);
      },
      afterNodeAdded(node) {
        if (!element(node)) return;
        remember(node);
        added.add(node);
      },
      beforeNodeRemoved: (node) => !(element(node) && node.hasAttribute("data-stay")),
      beforeAttributeUpdated(name, changed) {
        if (name.startsWith("hx-")) added.add(changed);
        // Of the reader (open), and of the guard.
        return !(name === "open" || ("waiting" in changed.dataset && ["disabled", "data-waiting"].includes(name)));
      },
    },
  });
  return [...added];
}

/** Changes the page while what is read stays where it is; who reads the end keeps seeing the end. */
export function keepingPlace(change) {
  const scroller = document.querySelector("[data-scroll]");
  // The scroller is a reversed column: 0 is its end.
  const atEnd = !scroller || scroller.scrollTop > -8;
  const edge = scroller?.getBoundingClientRect().top;
  const read = atEnd ? null : [...scroller.firstElementChild.children].find((line) => line.getBoundingClientRect().bottom > edge);
  const before = read?.getBoundingClientRect().top;
  const result = change();
  if (read?.isConnected) scroller.scrollTop += read.getBoundingClientRect().top - before;
  else if (scroller?.isConnected && atEnd) scroller.scrollTop = 0;
  return result;
}
