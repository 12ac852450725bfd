// What stays until its reader has done with it (`data-stay`) is taken away by its button (`data-dismiss`).

document.addEventListener("click", (event) => {
  const dismiss = event.target.closest("[data-dismiss]");
  if (!dismiss) return;
  event.preventDefault();
  const box = dismiss.closest("form")?.querySelector("textarea");
  dismiss.closest("[data-stay]").remove();
  box?.focus({ preventScroll: true });
});
