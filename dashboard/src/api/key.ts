/** The API key: held in memory and, when asked to, in this tab's session storage; never in an address. */

import { signal } from "@preact/signals";

const NAME = "stepfast-api-key";

function stored(): string {
  try {
    return sessionStorage.getItem(NAME) ?? "";
  } catch {
    return ""; // storage may be forbidden; the key then lives as long as the page
  }
}

export const key = signal(stored());

/** True from the moment the API has refused the key, or the lack of one, until another is given. */
export const keyRefused = signal(false);

/** True once the API has said that this key may not read values, which it then leaves out of its answers. */
export const valuesWithheld = signal(false);

export function takeKey(text: string, keep: boolean): void {
  key.value = text;
  keyRefused.value = false;
  valuesWithheld.value = false;
  try {
    if (keep) sessionStorage.setItem(NAME, text);
    else sessionStorage.removeItem(NAME);
  } catch {
    // as above
  }
}

export function forgetKey(): void {
  takeKey("", false);
}
