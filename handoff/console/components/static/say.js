// What the page says, in the language of the page: `say("console.script.copied")`.

import { formatsOf, wordsOf } from "./words.js";

const locale = document.documentElement.lang;

/** The locale for dates and numbers. */
export const formats = formatsOf(locale);

export const say = wordsOf(locale, JSON.parse(document.getElementById("words")?.textContent ?? "{}"));
