// "/" and Ctrl+K, or ⌘K: to the search, from every page.

import { feature } from "./console.js";

const TYPING = "input, textarea, select, [contenteditable]";

function search() {
  const box = document.getElementById("search-words");
  if (box) {
    box.focus();
    box.select();
  } else {
    // As if its place in the navigation were pressed; who may not search has none there.
    document.getElementById("to-search")?.click();
  }
}

feature({
  start() {
    document.addEventListener("keydown", (event) => {
      if (event.isComposing || event.defaultPrevented || event.altKey) return;
      const chord = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey;
      const slash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.target.closest?.(TYPING);
      if (!chord && !slash) return;
      event.preventDefault();
      search();
    });
  },
});
