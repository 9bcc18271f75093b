/** All rows at a glance, with the part that is zoomed to; drawn on a canvas, since there may be thousands. */

import { useEffect, useRef } from "preact/hooks";

import { lengthOf, place, within, type Range } from "./axis";
import type { Row } from "./layout";

const HEIGHT = 36;

interface Props {
  rows: readonly Row[];
  whole: Range;
  range: Range;
  width: number;
  now: number;
  theme: string;
  show: (range: Range) => void;
}

export function Overview({ rows, whole, range, width, now, theme, show }: Props) {
  const ref = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (ref.current) draw(ref.current, rows, whole, width, now);
  }, [rows, whole.from, whole.to, width, theme]);
  const left = place(range.from, whole, width);
  const right = place(range.to, whole, width);
  const centre = (event: PointerEvent & { currentTarget: HTMLElement }): void => {
    const x = event.clientX - event.currentTarget.getBoundingClientRect().left;
    const at = whole.from + (x / width) * lengthOf(whole);
    show(within({ from: at - lengthOf(range) / 2, to: at + lengthOf(range) / 2 }, whole));
  };
  return (
    <div
      class="overview"
      aria-hidden="true"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        centre(event);
      }}
      onPointerMove={(event) => event.buttons && centre(event)}
    >
      <canvas ref={ref} style={{ width: `${width}px`, height: `${HEIGHT}px` }} />
      <div class="brush" style={{ left: `${left}px`, width: `${Math.max(2, right - left)}px` }} />
    </div>
  );
}

function draw(canvas: HTMLCanvasElement, rows: readonly Row[], whole: Range, width: number, now: number): void {
  const scale = devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.round(HEIGHT * scale);
  const context = canvas.getContext("2d");
  if (!context) return;
  const style = getComputedStyle(canvas);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const colours: Record<string, string> = {
    succeeded: colour("--ok-bar"),
    failed: colour("--bad-bar"),
    running: colour("--run-bar"),
    interrupted: colour("--warn-bar"),
    cancelled: colour("--off-bar"),
  };
  context.scale(scale, scale);
  const step = Math.min(3, (HEIGHT - 4) / Math.max(1, rows.length));
  rows.forEach((row, number) => {
    for (const bar of row.bars) {
      if (bar.kind === "queued" || bar.kind === "pause") continue;
      const x = place(bar.from, whole, width);
      context.fillStyle = (bar.kind === "attempt" ? colours[bar.outcome] : colour("--wait-bar")) ?? "gray";
      const end = place(bar.to ?? now, whole, width);
      context.fillRect(x, 2 + number * step, Math.max(1, end - x), Math.max(0.6, step * 0.8));
    }
  });
}
