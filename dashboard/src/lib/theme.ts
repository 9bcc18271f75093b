/** Light, dark, or as the system is; remembered in this browser. */

import { effect, signal } from "@preact/signals";

export type Theme = "auto" | "light" | "dark";
const NAME = "stepfast-theme";
const ORDER: readonly Theme[] = ["auto", "light", "dark"];

function stored(): Theme {
  try {
    const kept = localStorage.getItem(NAME) as Theme;
    return ORDER.includes(kept) ? kept : "auto";
  } catch {
    return "auto";
  }
}

export const theme = signal<Theme>(stored());

export function nextTheme(): void {
  theme.value = ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length] ?? "auto";
  try {
    localStorage.setItem(NAME, theme.value);
  } catch {
    // not remembered then
  }
}

export function applyTheme(): void {
  effect(() => {
    document.documentElement.dataset["theme"] = theme.value;
  });
}
