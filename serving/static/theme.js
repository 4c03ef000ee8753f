// Light, dark, or as the system has it.

import { keep, kept } from "./keep.js";

export const THEMES = ["system", "light", "dark"];
const listeners = new Set();
const system = matchMedia("(prefers-color-scheme: dark)");
system.addEventListener("change", tell);

/** The choice: one of THEMES. */
export function theme() {
  const chosen = kept("theme");
  return THEMES.includes(chosen) ? chosen : "system";
}

export function setTheme(chosen) {
  keep("theme", chosen === "system" ? null : chosen);
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  tell();
}

/** Calls `listener` after each change of colours; returns the way to stop it. */
export function onTheme(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The colour of a custom property, as a canvas takes it: colour("--accent") -> "rgb(11, 92, 173)". */
export function colour(property) {
  const probe = document.createElement("i");
  probe.style.color = `var(${property})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function tell() {
  for (const listener of listeners) listener();
}
