// The keyboard in a box: Enter sends, Escape gives a change up.

import { tooSoon } from "./acts.js";

document.addEventListener("keydown", (event) => {
  // While an input method composes, Enter chooses a word and Escape gives one up.
  if (event.isComposing || event.keyCode === 229 || !(event.target instanceof Element)) return;
  if (event.key === "Escape") event.target.closest(".changing")?.querySelector("[data-cancel]").click();
  if (event.key !== "Enter" || event.shiftKey || !event.target.matches(".composer textarea, .changing textarea")) return;
  event.preventDefault();
  if (event.repeat || tooSoon(event.target)) return;
  const { form, value } = event.target;
  if (value.trim() || form.querySelector(".chosen li")) form.requestSubmit();
});
