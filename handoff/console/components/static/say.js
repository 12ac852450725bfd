// What the page says, in the language of the page: `say("console.script.copied")`.

import { formatsOf, wordsOf } from "./words.js";

const locale = document.documentElement.lang;

/** The locale for dates and numbers. */
export const formats = formatsOf(locale);

const { default: phrases } = await import(`../words/${locale}.js`);

export const say = wordsOf(locale, phrases);
