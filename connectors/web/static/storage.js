// What this browser keeps for the chat: localStorage, shared by its tabs, or nothing where the browser forbids it; the chat
// then works until the page is left.

const PREFIX = "switchboard:";

export const storage = {
  get(key) {
    try { return localStorage.getItem(PREFIX + key); } catch { return null; }
  },
  /** Whether it is kept. An empty value is none. */
  set(key, value) {
    try {
      if (value) localStorage.setItem(PREFIX + key, value);
      else localStorage.removeItem(PREFIX + key);
      return Boolean(value);
    } catch {
      return false; // full or forbidden
    }
  },
  /** [key, value] of what was kept under keys that begin so. */
  under(prefix) {
    try {
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX + prefix));
      return keys.map((key) => [key.slice(PREFIX.length), localStorage.getItem(key)]);
    } catch { return []; }
  },
  /** `changed(key, value)` whenever another tab keeps something, or with null gives it up. */
  watch(changed) {
    addEventListener("storage", ({ key, newValue, storageArea }) => {
      try {
        if (storageArea === localStorage && key?.startsWith(PREFIX)) changed(key.slice(PREFIX.length), newValue);
      } catch { /* forbidden */ }
    });
  },
};

/** Of this tab alone: it survives a reload, and nothing else. An empty value is none here, too. */
export const tabStorage = {
  get(key) {
    try { return sessionStorage.getItem(PREFIX + key); } catch { return null; }
  },
  set(key, value) {
    try {
      if (value) sessionStorage.setItem(PREFIX + key, value);
      else sessionStorage.removeItem(PREFIX + key);
    } catch { /* full or forbidden */ }
  },
};

/** What was kept as JSON; null where it is none. */
export function parsed(value) {
  try { return JSON.parse(value); } catch { return null; }
}
