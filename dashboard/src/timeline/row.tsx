/** One command's row: its name as a button, its bars as SVG. */

import { memo } from "preact/compat";

import { moment, span } from "../lib/time";
import { signOf } from "../parts/status";
import { clipped, type Range } from "./axis";
import type { Bar, Row } from "./layout";

export const ROW = 26;
const BAR = 14;
/** Pixels that a letter takes, about. */
const LETTER = 6.5;

interface Props {
  row: Row;
  number: number;
  range: Range;
  width: number;
  /** Where bars that go on end by now. */
  now: number;
  picked: boolean;
  /** Of all rows one is reached with Tab; arrow keys go on from there. */
  stop: boolean;
  pick: (id: string) => void;
}

export const TimelineRow = memo(function TimelineRow({ row, number, range, width, now, picked, stop, pick }: Props) {
  return (
    <div class={`t-row${picked ? " picked" : ""}${isOverdue(row, now) ? " overdue" : ""}`} style={{ transform: `translateY(${number * ROW}px)` }}>
      <button
        type="button"
        class={`t-name s-${row.status.toLowerCase()}`}
        aria-pressed={row.fold ? undefined : picked}
        aria-expanded={row.fold?.open}
        aria-description={row.label || undefined}
        tabIndex={stop ? 0 : -1}
        title={row.fold ? `${row.name}: show or hide the rows` : row.label ? `${row.id}\n${row.label}` : row.id}
        data-row={number}
        data-id={row.id}
        onClick={() => pick(row.id)}
      >
        <span class="sign" aria-hidden="true">
          {row.fold ? (row.fold.open ? "−" : "+") : signOf(row.status)}
        </span>
        <span class="unseen">{isOverdue(row, now) ? `${row.status}, overdue` : row.status} </span>
        {row.task && <span class="task">{row.task}/</span>}
        <span class="name">{row.name}</span>
        {row.label && <span class="t-label" aria-hidden="true">{row.label}</span>}
      </button>
      <svg class="t-bars" width={width} height={ROW} aria-hidden="true" data-id={row.id}>
        {row.bars.map((bar, index) => (
          <BarShape key={index} bar={bar} range={range} width={width} now={now} />
        ))}
        <Length row={row} range={range} width={width} now={now} />
      </svg>
    </div>
  );
}, same);

/** Rows whose bars have all ended look the same at any time. */
function same(a: Props, b: Props): boolean {
  const still = a.row === b.row && a.row.bars.every((bar) => bar.to !== null);
  return (
    (still || (a.row === b.row && a.now === b.now)) &&
    a.number === b.number &&
    a.range.from === b.range.from &&
    a.range.to === b.range.to &&
    a.width === b.width &&
    a.picked === b.picked &&
    a.stop === b.stop
  );
}

function BarShape({ bar, range, width, now }: { bar: Bar; range: Range; width: number; now: number }) {
  const thin = bar.kind === "queued" || bar.kind === "pause";
  const place = clipped(bar.from, bar.to ?? Math.max(now, bar.from), range, width, thin ? 0 : 3);
  if (!place) return null;
  const [x, length] = place;
  const height = thin ? 4 : BAR;
  const live = bar.to === null ? " live" : "";
  return (
    <rect
      class={`bar b-${bar.kind} o-${bar.outcome}${live}`}
      x={x}
      y={(ROW - height) / 2}
      width={length}
      height={height}
      rx={thin ? 0 : 2}
    >
      <title>{`${bar.title}, ${span((bar.to ?? now) - bar.from)}`}</title>
    </rect>
  );
}

export const isOverdue = (row: Pick<Row, "overdueAt">, now: number): boolean => row.overdueAt !== null && row.overdueAt < now;

/** Seconds of waiting that are worth a word, and its share of the whole. */
const WORTH = { seconds: 0.1, share: 0.1 };

/** What the bars measure: how long it ran, retries included, and apart from that how long it had waited for a worker. */
export function lengthOf(row: Pick<Row, "from" | "ran">, end: number): string {
  const from = row.from ?? end;
  if (row.ran === null) return `waits ${span(end - from)}`;
  const waited = row.ran - from;
  const telling = waited >= WORTH.seconds && waited >= WORTH.share * (end - from);
  return span(end - row.ran) + (telling ? ` after waiting ${span(waited)}` : "");
}

/** How long in words: right of the bars, or before them where no room is left, or in a wait's own stretch. */
function Length({ row, range, width, now }: { row: Row; range: Range; width: number; now: number }) {
  if (row.from === null) return null;
  const end = row.to ?? now;
  const place = clipped(row.from, end, range, width, 3);
  if (!place) return null;
  const after = place[0] + place[1] + 6;
  const until = row.due === null ? "" : `, until ${moment(row.due, now)}`;
  const words = lengthOf(row, end) + until + (isOverdue(row, now) ? ": OVERDUE" : "");
  const fits = after + LETTER * words.length < width;
  const last = row.bars.at(-1);
  const retries = last?.kind === "pause" && last.to === null;
  const waits = retries ? clipped(last.from, end, range, width, 0) : row.bars[0]?.kind === "timer" || row.bars[0]?.kind === "signal" ? place : null;
  if (!fits && waits) {
    return (
      <text class={retries ? "t-note over" : "t-note"} x={waits[0] + 8} y={ROW / 2 + 4}>
        {words}
      </text>
    );
  }
  if (!fits && place[0] < 66) return null;
  return (
    <text class="t-length" x={fits ? after : place[0] - 6} y={ROW / 2 + 4} text-anchor={fits ? "start" : "end"}>
      {words}
    </text>
  );
}
