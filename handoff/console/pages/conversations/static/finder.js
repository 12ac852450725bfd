// Contacts that are looked for: once one is linked, the search is over.

import { feature } from "../components/console.js";

feature({
  acted(elt) {
    if (!elt.matches(".link-with")) return;
    for (const element of document.querySelectorAll(".found > *")) element.remove();
    for (const box of document.querySelectorAll(".finder input[type=search]")) box.value = "";
    for (const finder of document.querySelectorAll(".finder")) finder.open = false;
  },
});
