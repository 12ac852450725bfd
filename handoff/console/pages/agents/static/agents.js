// The pages about agents: a link is copied with one press. Everything works without this.

import { feature } from "../components/console.js";

feature({
  selector: "input[data-link]",
  attach(box) {
    // Behind a proxy the desk does not know by what address it is reached; the browser does.
    box.value = location.origin + new URL(box.value).pathname;
    box.addEventListener("focus", () => box.select());
  },
});

feature({
  selector: "button[data-copy]",
  attach(button) {
    const box = document.getElementById(button.dataset.copy);
    button.hidden = false;
    button.addEventListener("click", () => copy(box, document.querySelector("[data-copied]")));
  },
});

async function copy(box, said) {
  try {
    await navigator.clipboard.writeText(box.value);
    said.textContent = "Copied.";
  } catch {
    // No clipboard over plain HTTP: it is selected for the reader's own keys.
    box.focus();
    box.select();
    said.textContent = "The browser does not let pages copy here. It is selected: press Ctrl+C or ⌘C.";
  }
}
