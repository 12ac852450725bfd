// What the page says, in the language of the page: `say("console.script.copied")`.

import { formatsOf, wordsOf } from "./words.js";

const locale = document.documentElement.lang;

/** The locale for dates and numbers. */
export const formats = formatsOf(locale);

/** The phrases stand in a script of the page's language, which runs before all modules. */
export const say = wordsOf(locale, globalThis.switchboardWords ?? {});
