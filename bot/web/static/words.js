// What people read, in the page's language: phrases by key, as the desk wrote them into the page.

/** The value as it reads: numbers as the locale writes them. */
const written = (value, locale) => (typeof value === "number" ? new Intl.NumberFormat(locale).format(value) : String(value));

const languageOf = (tag) => tag.split("-")[0].toLowerCase();

/**
 * The locale for numbers, dates and plural forms: the page's, with the region of its reader's browser (24 hours in
 * en-GB); the browser's own where it knows nothing of the page's language.
 */
export function formatsOf(locale) {
  const own = (navigator.languages ?? []).find((tag) => languageOf(tag) === languageOf(locale));
  try {
    return Intl.PluralRules.supportedLocalesOf([own ?? locale, locale])[0];
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

/** Says a size as the desk does: 900 bytes, 3.2 MB. */
export function sizesOf(formats) {
  return (bytes) => {
    let [value, unit] = [bytes, "byte"];
    for (const larger of ["kilobyte", "megabyte", "gigabyte"]) {
      if (value < 1000) break;
      [value, unit] = [value / 1000, larger];
    }
    const shown = value < 10 ? Math.round(value * 10) / 10 : Math.floor(value);
    return new Intl.NumberFormat(formats, { style: "unit", unit, unitDisplay: unit === "byte" ? "long" : "short" }).format(shown);
  };
}
