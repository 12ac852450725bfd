// What the page keeps in the browser, and who it is.

import { mayBeSecret } from "./maybe_secret.js";

/** Where the console is: scripts lie in `static/<version>/<part>/` below it. */
export const ROOT = new URL("../../../", import.meta.url).pathname;
/** Whose page this is. Whatever is kept is kept for this agent, and shown to nobody else who signs in here. */
export const AGENT = document.body.dataset.agent ?? "";

/** A UUID; `crypto.randomUUID` is missing on pages served without TLS. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Where localStorage is full or forbidden, and what must not come into it: until the page is left. */
const memory = new Map();

/** localStorage, shared by all windows of this browser, with values that are plain data. */
export const kept = {
  get(key) {
    try {
      return parsed(memory.get(key) ?? localStorage.getItem(key));
    } catch {
      return null;
    }
  },
  /** False if it is kept only until the page is left. `typed` are the words in it: none that may be a secret are
   * written where they stay on the disk. */
  set(key, value, typed = "") {
    const text = JSON.stringify(value);
    if (mayBeSecret(typed)) {
      kept.remove(key);
      memory.set(key, text);
      return false;
    }
    try {
      localStorage.setItem(key, text);
      memory.delete(key);
      return true;
    } catch {
      memory.set(key, text);
      return false;
    }
  },
  remove(key) {
    memory.delete(key);
    try {
      localStorage.removeItem(key);
    } catch {
      // It was never there.
    }
  },
  keys(prefix) {
    const found = new Set(memory.keys());
    try {
      for (const key of Object.keys(localStorage)) found.add(key);
    } catch {
      // Only what is in memory.
    }
    return [...found].filter((key) => key.startsWith(prefix));
  },
};

/** The value that was written as `text`; null for what is none. */
export function parsed(text) {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

/** This tab, also after a reload. */
export const TAB = (() => {
  try {
    const id = sessionStorage.getItem("tab") ?? newId();
    sessionStorage.setItem("tab", id);
    return id;
  } catch {
    return newId();
  }
})();
