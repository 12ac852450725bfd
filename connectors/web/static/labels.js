// What stands in a message for a secret that the desk removed, in the words of the page's language.

/** `labels`: the words by the label that the desk keeps. */
export function inWords(labels) {
  return (text) => Object.entries(labels).reduce((said, [label, words]) => said.replaceAll(label, () => words), text);
}
