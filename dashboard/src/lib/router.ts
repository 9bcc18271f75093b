/** Where the page is: the part behind `#`, as a path and its parameters. The server sees none of it. */

import { signal } from "@preact/signals";

export interface Place {
  path: readonly string[];
  query: URLSearchParams;
}

export function placeOf(hash: string): Place {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { path: path.split("/").filter(Boolean).map(decoded), query: new URLSearchParams(query) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** An address within the page; parts are escaped, empty parameters left out. */
export function href(path: readonly string[], query: Record<string, string | readonly string[] | null> = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const part of typeof value === "string" ? [value] : (value ?? [])) if (part) params.append(name, part);
  }
  const text = params.toString();
  return `#/${path.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

export const place = signal<Place>(placeOf(globalThis.location?.hash ?? ""));

export function listen(): void {
  addEventListener("hashchange", () => (place.value = placeOf(location.hash)));
}

/** Goes to an address; `replace` leaves no step back, as for a filter that is being typed. */
export function go(to: string, replace = false): void {
  if (replace) {
    history.replaceState(null, "", to);
    place.value = placeOf(to);
  } else {
    location.hash = to;
  }
}
