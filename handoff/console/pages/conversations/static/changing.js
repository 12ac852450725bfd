// Other words for a reply, taking it back, quoting, deleting a note, and marking a secret.

import { focusOn } from "./acts.js";
import { forget } from "./boxes.js";
import { feature } from "../components/console.js";

/** Where the keyboard is needed next: in what was opened, or back where it was opened from. */
function goOn(elt) {
  const id = elt.id.replace(/^\D+/, "");
  const message = document.getElementById(`m-${id}`);
  const box = elt.id.startsWith("quote-")
    ? document.querySelector(".composer textarea")
    : message?.querySelector(".changing textarea, .marking select, .deleting [data-cancel], .tool");
  focusOn(box);
  if (elt.matches("[data-opens]")) box?.scrollIntoView({ block: "nearest" });
  if (box?.matches(".changing textarea")) box.setSelectionRange(box.value.length, box.value.length);
}

feature({
  acted(elt) {
    if (elt.matches("[data-cancel]") || (elt.matches(".changing") && !elt.matches(".deleting"))) {
      forget(`edit-${elt.id.replace(/^\D+/, "")}`);
    }
    if (elt.matches("[data-opens], .changing, .changing *")) goOn(elt);
  },
});
