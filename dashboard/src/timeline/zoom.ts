/** Zooming by dragging over the bars; a press without a drag is a click. */

import { useRef, useState } from "preact/hooks";

import { selected, type Range } from "./axis";

export interface Drag {
  /** Pixels from the bars' left edge, as pressed and as now. */
  a: number;
  b: number;
}

interface Zoom {
  drag: Drag | null;
  down: (event: PointerEvent) => void;
  move: (event: PointerEvent) => void;
  up: (event: PointerEvent) => void;
  cancel: () => void;
}

/** Pixels that a hand may tremble in a click. */
const STILL = 4;

export function useZoom(range: Range, whole: Range, left: number, width: number, show: (range: Range) => void): Zoom {
  const [drag, setDrag] = useState<Drag | null>(null);
  const box = useRef<DOMRect | null>(null);
  const at = (event: PointerEvent): number =>
    Math.min(width, Math.max(0, event.clientX - (box.current?.left ?? 0) - left));
  return {
    drag: drag && Math.abs(drag.b - drag.a) > STILL ? drag : null,
    down(event) {
      const target = event.currentTarget as HTMLElement;
      box.current = target.getBoundingClientRect();
      const inBars = event.clientX - box.current.left >= left && event.clientX - box.current.left <= left + width;
      // A finger scrolls; only a mouse or pen drags.
      if (event.button !== 0 || event.pointerType === "touch" || !inBars) return;
      setDrag({ a: at(event), b: at(event) });
    },
    move(event) {
      if (!drag) return;
      if (Math.abs(at(event) - drag.a) > STILL) (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
      setDrag({ a: drag.a, b: at(event) });
    },
    up(event) {
      if (!drag) return;
      const b = at(event);
      setDrag(null);
      if (Math.abs(b - drag.a) > STILL) show(selected(drag.a, b, range, width, whole));
    },
    cancel: () => setDrag(null),
  };
}
