/** Which rows of a long list are on screen; all rows are equally high, so nothing has to be measured. */

import { useCallback, useEffect, useState } from "preact/hooks";

export interface Window {
  first: number;
  /** One behind the last. */
  end: number;
}

export function windowOf(count: number, height: number, top: number, room: number, spare = 8): Window {
  const first = Math.max(0, Math.min(count, Math.floor(top / height)) - spare);
  return { first, end: Math.max(first, Math.min(count, Math.ceil((top + room) / height) + spare)) };
}

/** The window of a scrolling element, and the callback ref that watches it. */
export function useWindow(count: number, height: number): [Window, (element: HTMLElement | null) => void] {
  const [element, setElement] = useState<HTMLElement | null>(null);
  const [seen, setSeen] = useState({ top: 0, room: 800 });
  useEffect(() => {
    if (!element) return undefined;
    const look = (): void =>
      setSeen((was) =>
        was.top === element.scrollTop && was.room === element.clientHeight
          ? was
          : { top: element.scrollTop, room: element.clientHeight },
      );
    look();
    element.addEventListener("scroll", look, { passive: true });
    const sizes = new ResizeObserver(look);
    sizes.observe(element);
    return () => {
      element.removeEventListener("scroll", look);
      sizes.disconnect();
    };
  }, [element]);
  const ref = useCallback((element: HTMLElement | null) => setElement(element), []);
  return [windowOf(count, height, seen.top, seen.room), ref];
}

/** True while the page is narrower than `pixels`. */
export function useNarrow(pixels: number): boolean {
  const query = `(max-width: ${pixels}px)`;
  const [narrow, setNarrow] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const change = (): void => setNarrow(list.matches);
    list.addEventListener("change", change);
    return () => list.removeEventListener("change", change);
  }, [query]);
  return narrow;
}

/** The width of an element in pixels, and the callback ref that measures it. */
export function useWidth(): [number, (element: HTMLElement | null) => void] {
  const [element, setElement] = useState<HTMLElement | null>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!element) return undefined;
    const sizes = new ResizeObserver(() => setWidth(element.clientWidth));
    setWidth(element.clientWidth);
    sizes.observe(element);
    return () => sizes.disconnect();
  }, [element]);
  return [width, useCallback((element: HTMLElement | null) => setElement(element), [])];
}
