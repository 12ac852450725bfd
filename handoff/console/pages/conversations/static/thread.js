// What was said: a quote shows the message that it is of.

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
