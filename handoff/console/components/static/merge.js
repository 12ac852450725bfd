// Puts what the server sent into the page, without touching what its reader does there.

/** What the server sent for an element, before the page changed it. */
const sources = new WeakMap();

export function remember(element) {
  sources.set(element, element.outerHTML);
  for (const container of [element, ...element.querySelectorAll("[data-merge]")]) {
    for (const child of container.children) sources.set(child, child.outerHTML);
  }
}

/**
 * Makes the children of `target` those of `fragment`. What has the same id and was sent just so before stays
 * the very same element: text that is typed or selected in it, focus and scroll are not touched.
 *
 * `data-merge`: merged child by child. `data-keep`: never replaced. `data-stay`: not removed by an update.
 * Returns the elements that are new.
 */
export function merge(target, fragment) {
  const fresh = [...fragment.children];
  const wanted = new Set(fresh.map((element) => element.id));
  const old = new Map();
  for (const child of [...target.children]) {
    if (child.id && wanted.has(child.id)) old.set(child.id, child);
    else if (!child.hasAttribute("data-stay")) child.remove();
  }
  const added = [];
  let at = target.firstElementChild;
  for (const element of fresh) {
    while (at?.hasAttribute("data-stay") && !wanted.has(at.id)) at = at.nextElementSibling;
    const kept = old.get(element.id);
    let node = kept ?? element;
    if (!kept) {
      remember(element);
      added.push(element);
    } else if (kept.hasAttribute("data-merge")) {
      added.push(...merge(kept, element));
    } else if (!kept.hasAttribute("data-keep") && sources.get(kept) !== element.outerHTML) {
      remember(element);
      carryOver(kept, element);
      if (at === kept) at = element;
      kept.replaceWith(element);
      added.push(element);
      node = element;
    }
    if (node === at) at = at.nextElementSibling;
    else target.insertBefore(node, at);
  }
  return added;
}

/** What the reader had opened stays open, and what they chose stays chosen. */
function carryOver(from, to) {
  const details = (element, kind) => [element, ...element.querySelectorAll("details")].filter((one) => one.matches(`details.${kind}`));
  for (const kind of ["more", "versions", "verdict"]) {
    const opened = details(from, kind).map((one) => one.open);
    details(to, kind).forEach((one, index) => (one.open = opened[index] ?? one.open));
  }
  if (from.matches("select") && [...to.options].some((option) => option.value === from.value)) to.value = from.value;
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
