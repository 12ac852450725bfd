// What was said: a quote shows the message that it is of, and a picture that cannot be shown is a file.

document.addEventListener("click", (event) => {
  const quote = event.target.closest(".quote");
  const quoted = quote?.hash && document.querySelector(quote.hash);
  // Shown without an entry in the browser's history: going back leaves the conversation as before.
  if (quoted && quote.pathname === location.pathname) {
    event.preventDefault();
    quoted.scrollIntoView({ block: "center" });
    quoted.classList.remove("shown");
    requestAnimationFrame(() => quoted.classList.add("shown"));
  }
});

// Errors of pictures do not bubble.
document.addEventListener("error", ({ target }) => {
  const link = target instanceof HTMLImageElement && target.closest(".message a.picture");
  if (!link) return;
  const name = document.createElement("bdi");
  name.textContent = target.alt;
  link.className = "attachment";
  link.removeAttribute("target");
  link.download = "";
  link.replaceChildren(name);
}, true);
