// Tells the desk that the agent is here: after real input only, never because a page is open.

import { feature } from "./console.js";
import { AGENT, kept, ROOT } from "./keep.js";

const EVERY = 60_000;
const KEY = `presence:${AGENT}`;

let told = 0;

function here(event) {
  // A pointer that "moves" because the page moved under it is nobody.
  if (!event.isTrusted || (event.type === "pointermove" && !event.movementX && !event.movementY)) return;
  const now = Date.now();
  if (now - told < EVERY && now >= told) return;
  // Shared by all windows: one of them tells.
  const last = Number(kept.get(KEY)) || 0;
  told = now - last < EVERY && now >= last ? last : now;
  if (told !== now) return;
  kept.set(KEY, now);
  fetch(`${ROOT}presence`, { method: "POST" }).catch(() => {});
}

function start() {
  if (!AGENT) return;
  for (const kind of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) {
    addEventListener(kind, here, { passive: true, capture: true });
  }
}

feature({ start });
