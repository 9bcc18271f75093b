/** The timeline: a row a command, bars along one axis; only the rows on screen are drawn. */

import { useCallback, useMemo, useRef, useState } from "preact/hooks";

import { theme } from "../lib/theme";
import { exactly } from "../lib/time";
import { useNarrow, useWidth, useWindow } from "../lib/virtual";
import { Empty } from "../parts/note";
import { lengthOf, moved, place, tickLabel, ticks, zoomed, type Range } from "./axis";
import type { Row } from "./layout";
import { Overview } from "./overview";
import { useFollow } from "./follow";
import { ROW, TimelineRow } from "./row";
import { ALL, folded, nextOf, filtered } from "./filter";
import { TimelineFilterBar } from "./filterbar";
import { useZoom } from "./zoom";

interface Props {
  rows: readonly Row[];
  whole: Range;
  now: number;
  live: boolean;
  /** Moments at which the execution was resumed. */
  resumes: readonly number[];
  picked: string;
  pick: (id: string) => void;
  /** How many there are, and whether some of them are still to be loaded. */
  total: number;
  more: boolean;
}

export function TimelineView({ rows: all, whole, now, live, resumes, picked, pick: pickOne, total, more }: Props) {
  const [filter, setFilter] = useState(ALL);
  const [folds, setFolds] = useState(true);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const matching = useMemo(() => filtered(all, filter), [all, filter]);
  const compact = useMemo(() => folded(matching, open, picked), [matching, open, picked]);
  const rows = folds ? compact : matching;
  const pick = useCallback((id: string): void => {
    if (!id.startsWith("fold ")) return latest.current(id);
    setOpen((was) => new Set(was.has(id) ? [...was].filter((key) => key !== id) : [...was, id]));
  }, []);
  const latest = useRef(pickOne);
  latest.current = pickOne;
  const [zoom, setZoom] = useState<Range | null>(null);
  const [visible, windowed] = useWindow(rows.length, ROW);
  const follow = useFollow(rows, live, more);
  const scroller = useCallback((element: HTMLElement | null) => (windowed(element), follow.ref(element)), []);
  const jumped = useRef(-1);
  const [room, measured] = useWidth();
  const names = useNarrow(720) ? 132 : 260;
  const width = Math.max(60, room - names - 14);
  const range = zoom ?? whole;
  const show = (to: Range): void => setZoom(lengthOf(to) >= lengthOf(whole) * 0.999 ? null : to);
  const drag = useZoom(range, whole, names, width, show);
  const marks = useMemo(() => ticks(range, width, whole.from), [range.from, range.to, width, whole.from]);
  if (!all.length) {
    return (
      <Empty title={more ? "Loading its commands" : live ? "No step has begun yet" : "This execution has no commands"}>
        <p>{live ? "The first one shows here as soon as a worker takes it." : "Its code ended without any step."}</p>
      </Empty>
    );
  }
  const shown = rows.slice(visible.first, visible.end);
  const stop = (shown.find((row) => row.id === picked) ?? shown[0])?.id;
  const middle = (range.from + range.to) / 2;
  const keys = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") show(zoomed(range, 0.5, middle, whole));
    else if (event.key === "-") show(zoomed(range, 2, middle, whole));
    else if (event.key === "0") setZoom(null);
    else if (event.key === "ArrowLeft") setZoom(zoom && moved(range, -0.2, whole));
    else if (event.key === "ArrowRight") setZoom(zoom && moved(range, 0.2, whole));
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") step(event, event.key === "ArrowDown" ? 1 : -1);
    else return;
    event.preventDefault();
  };
  return (
    <section class="timeline" aria-label="Timeline" ref={measured} onKeyDown={keys}>
      {(all.length > 10 || more) && (
        <TimelineFilterBar
          {...{ rows: all, matching: matching.length, total, loading: more, filter, folds, setFolds }}
          set={setFilter}
          canFold={compact.some((row) => row.fold)}
          jump={(is) => {
            jumped.current = nextOf(rows, jumped.current, is);
            follow.to(jumped.current);
          }}
        />
      )}
      <Tools range={range} whole={whole} zoomed={zoom !== null} show={show} fit={() => setZoom(null)} />
      {(zoom || rows.length > 40) && (
        <div class="t-over" style={{ marginLeft: `${names}px` }}>
          <Overview {...{ rows, whole, range, width, now, show }} theme={theme.value} />
        </div>
      )}
      <Axis marks={marks} range={range} width={width} names={names} origin={whole.from} />
      <div
        class={`t-scroll${drag.drag ? " dragging" : ""}`}
        ref={scroller}
        onScroll={follow.look}
        tabIndex={0}
        role="region"
        aria-label="Commands by time"
        onPointerDown={drag.down}
        onPointerMove={drag.move}
        onPointerUp={drag.up}
        onPointerCancel={drag.cancel}
        onClick={(event) => {
          const id = (event.target as Element).closest("svg[data-id]")?.getAttribute("data-id");
          if (id) pick(id);
        }}
        onDblClick={() => setZoom(null)}
      >
        <div class="t-rows" style={{ height: `${Math.max(1, rows.length) * ROW}px`, "--names": `${names}px` }}>
          <Lines marks={marks} resumes={resumes} range={range} width={width} names={names} rows={rows.length} />
          {!rows.length && <p class="t-none dim">No row matches these filters.</p>}
          {shown.map((row, index) => (
            <TimelineRow
              key={row.id}
              {...{ row, range, width, now, pick }}
              number={visible.first + index}
              picked={row.id === picked}
              stop={row.id === stop}
            />
          ))}
          {drag.drag && (
            <div
              class="selection"
              style={{
                left: `${names + Math.min(drag.drag.a, drag.drag.b)}px`,
                width: `${Math.abs(drag.drag.b - drag.drag.a)}px`,
              }}
            />
          )}
        </div>
      </div>
    </section>
  );
}

/** Arrow keys go from row to row. */
function step(event: KeyboardEvent, by: number): void {
  const box = event.currentTarget as HTMLElement;
  const from = (document.activeElement as HTMLElement | null)?.dataset["row"];
  const first = box.querySelector<HTMLElement>("[data-row]")?.dataset["row"] ?? "0";
  const to = box.querySelector<HTMLElement>(`[data-row="${from === undefined ? first : Number(from) + by}"]`);
  to?.focus({ preventScroll: true });
  to?.scrollIntoView({ block: "nearest" });
}

interface ToolsProps {
  range: Range;
  whole: Range;
  zoomed: boolean;
  show: (range: Range) => void;
  fit: () => void;
}

function Tools({ range, whole, zoomed: isZoomed, show, fit }: ToolsProps) {
  const middle = (range.from + range.to) / 2;
  return (
    <div class="t-tools">
      <ul class="legend" aria-label="What the bars mean">
        {[
          ["b-attempt o-succeeded", "succeeded"],
          ["b-attempt o-failed", "failed"],
          ["b-attempt o-running", "running"],
          ["b-attempt o-interrupted", "cut off"],
          ["b-queued thin", "waits for a worker"],
          ["b-pause thin", "waits to be retried"],
          ["b-timer", "timer, signal"],
        ].map(([look = "", words]) => (
          <li key={words}>
            <svg width="18" height="10" aria-hidden="true">
              <rect class={`bar ${look}`} y={look.endsWith("thin") ? 3 : 0} width="18" height={look.endsWith("thin") ? 4 : 10} rx="2" />
            </svg>
            {words}
          </li>
        ))}
      </ul>
      <span class="t-hint dim">how long each ran; drag over the bars to zoom</span>
      <button type="button" class="quiet" onClick={() => show(zoomed(range, 0.5, middle, whole))} aria-label="Zoom in">
        +
      </button>
      <button type="button" class="quiet" onClick={() => show(zoomed(range, 2, middle, whole))} aria-label="Zoom out">
        −
      </button>
      <button type="button" class="quiet" onClick={fit} disabled={!isZoomed}>
        Show all
      </button>
    </div>
  );
}

interface AxisProps {
  marks: number[];
  range: Range;
  width: number;
  names: number;
  origin: number;
}

function Axis({ marks, range, width, names, origin }: AxisProps) {
  const apart = (marks[1] ?? 0) - (marks[0] ?? 0) || lengthOf(range);
  return (
    <div class="t-axis" aria-hidden="true">
      <span class="t-origin dim">since its start</span>
      <svg width={width} height="22" style={{ marginLeft: `${names}px` }}>
        {marks.map((at) => (
          <text key={at} x={place(at, range, width)} y="15" text-anchor={anchorOf(place(at, range, width), width)}>
            <title>{exactly(at)}</title>
            {tickLabel(at - origin, apart)}
          </text>
        ))}
      </svg>
    </div>
  );
}

/** A label at either end stands inside. */
const anchorOf = (x: number, width: number): string => (x < 20 ? "start" : x > width - 24 ? "end" : "middle");

interface LinesProps {
  marks: number[];
  resumes: readonly number[];
  range: Range;
  width: number;
  names: number;
  rows: number;
}

/** What stands behind the bars: the ticks, and a line where the execution was resumed. */
function Lines({ marks, resumes, range, width, names, rows }: LinesProps) {
  const height = rows * ROW;
  const line = (at: number, look: string, title: string) =>
    at >= range.from && at <= range.to ? (
      <line key={`${look}${at}`} class={look} x1={place(at, range, width)} x2={place(at, range, width)} y1="0" y2={height}>
        <title>{title}</title>
      </line>
    ) : null;
  return (
    <svg class="t-lines" width={width} height={height} style={{ left: `${names}px` }} aria-hidden="true">
      {marks.map((at) => line(at, "tick", ""))}
      {resumes.map((at) => line(at, "resumed", `resumed ${exactly(at)}`))}
    </svg>
  );
}
