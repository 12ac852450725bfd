// The pages about agents: a link is copied with one press. Everything works without this.

for (const box of document.querySelectorAll("input[data-link]")) {
  // Behind a proxy the desk does not know by what address it is reached; the browser does.
  const link = new URL(box.value);
  box.value = location.origin + link.pathname;
  box.addEventListener("focus", () => box.select());
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  const box = document.getElementById(button.dataset.copy);
  const said = document.querySelector("[data-copied]");
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(box.value);
      said.textContent = "Copied.";
    } catch {
      // No clipboard over plain HTTP: it is selected for the reader's own keys.
      box.focus();
      box.select();
      said.textContent = "The browser does not let pages copy here. It is selected: press Ctrl+C or ⌘C.";
    }
  });
}
