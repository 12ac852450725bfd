// What people read, in the page's language: phrases by key, as the desk wrote them into the page.

/** The value as it reads: numbers as the locale writes them. */
const written = (value, locale) => (typeof value === "number" ? new Intl.NumberFormat(locale).format(value) : String(value));

/** The locale for numbers, dates and plural forms: the browser's own where it knows nothing of the page's. */
export function formatsOf(locale) {
  try {
    return Intl.PluralRules.supportedLocalesOf([locale])[0];
  } catch {
    return undefined;
  }
}

/**
 * Makes `say(key, values)`: the phrase, its placeholders filled; the value `n` chooses between plural forms. A key
 * that the page does not have is said as it is.
 */
export function wordsOf(locale, phrases) {
  const formats = formatsOf(locale);
  const rules = new Intl.PluralRules(formats);
  return (key, values = {}) => {
    const phrase = phrases[key] ?? key;
    const text = typeof phrase === "string" ? phrase : (phrase[rules.select(values.n ?? 0)] ?? phrase.other);
    return text.replace(/\{(\w+)\}/g, (placeholder, name) => (name in values ? written(values[name], formats) : placeholder));
  };
}
