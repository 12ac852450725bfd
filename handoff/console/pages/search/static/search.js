// The page of the search: days by the reader's clock, and a way through what was found by keyboard.

import { feature } from "../components/console.js";

feature({
  selector: "#search-zone",
  attach(field) {
    field.value = -new Date().getTimezoneOffset();
  },
});

feature({
  selector: "#search",
  attach(page) {
    page.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      // While an input method composes, the arrows choose a word.
      if (!step || event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
      const places = [page.querySelector("#search-words"), ...page.querySelectorAll("a.hit")];
      const at = places.indexOf(document.activeElement);
      if (at < 0 || !places[at + step]) return;
      event.preventDefault();
      places[at + step].focus();
    });
  },
});
