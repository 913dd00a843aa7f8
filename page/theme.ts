/**
 * Dark and light: as the system has it, unless somebody chooses.
 *
 * @module
 */
const KEY = "xftrace-theme";
const listeners = new Set<() => void>();

/** A colour of the style sheet, for what is drawn. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name)
    .trim();
}

/** Calls back when colours change; returns what ends that. */
export function onTheme(changed: () => void): () => void {
  listeners.add(changed);
  return () => listeners.delete(changed);
}

/** The choice: `light`, `dark`, or empty for that of the system. */
export function chosenTheme(): string {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    // A page from a file may have no place to keep it.
    return document.documentElement.dataset.theme ?? "";
  }
}

/** Chooses, and keeps the choice if possible. */
export function chooseTheme(theme: string): void {
  if (theme === "") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Then it lasts as long as the page.
  }
  for (const changed of listeners) changed();
}

/** Applies the kept choice, and follows the system's. */
export function startTheme(): void {
  chooseTheme(chosenTheme());
  matchMedia("(prefers-color-scheme: dark)").addEventListener(
    "change",
    () => {
      for (const changed of listeners) changed();
    },
  );
}
