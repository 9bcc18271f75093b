/** The executions on screen, of a list of any length. */

import type { Execution } from "../api/types";
import { href } from "../lib/router";
import { useNarrow, type Window } from "../lib/virtual";
import { Check } from "../parts/check";
import { Status } from "../parts/status";
import { Moment, Took } from "../parts/time";
import { currentStep, learned } from "./current";

export const NARROW = 720;
export const rowHeight = (narrow: boolean): number => (narrow ? 74 : 32);

interface Props {
  rows: readonly Execution[];
  window: Window;
  now: number;
  filterBy: (label: string) => void;
  /** Null while nothing is being chosen. */
  chosen: ReadonlySet<string> | null;
  choose: (chosen: ReadonlySet<string>) => void;
}

export function Rows({ rows, window: { first, end }, now, filterBy, chosen, choose }: Props) {
  const height = rowHeight(useNarrow(NARROW));
  void learned.value; // drawn again when a current step has become known
  return (
    <div role="rowgroup" class="rows" style={{ height: `${rows.length * height}px` }}>
      {rows.slice(first, end).map((one, index) => (
        <Row
          key={one.execution_id}
          one={one}
          number={first + index}
          top={(first + index) * height}
          now={now}
          filterBy={filterBy}
          chosen={chosen}
          choose={choose}
        />
      ))}
    </div>
  );
}

interface RowProps {
  one: Execution;
  number: number;
  top: number;
  now: number;
  filterBy: (label: string) => void;
  chosen: ReadonlySet<string> | null;
  choose: (chosen: ReadonlySet<string>) => void;
}

function Row({ one, number, top, now, filterBy, chosen, choose }: RowProps) {
  return (
    <div
      role="row"
      aria-rowindex={number + 2}
      class={`row is-${one.status.toLowerCase()}`}
      style={{ transform: `translateY(${top}px)` }}
      data-number={number}
    >
      <span role="cell" class="c-status">
        {chosen && one.status === "RUNNING" && (
          <Check
            on={chosen.has(one.execution_id)}
            some={false}
            label={`Choose ${one.execution_id}`}
            set={(on) => choose(new Set([...chosen].filter((id) => id !== one.execution_id).concat(on ? [one.execution_id] : [])))}
          />
        )}
        <Status status={one.status} />
      </span>
      <span role="cell" class="c-id">
        <a href={href(["executions", one.execution_id])} title={one.execution_id}>
          {one.execution_id}
        </a>
      </span>
      <span role="cell" class="c-workflow" title={one.workflow}>
        {one.workflow}
      </span>
      <span role="cell" class="c-step">
        <StepOf one={one} />
      </span>
      <span role="cell" class="c-started">
        <Moment at={one.created_at} now={now} />
      </span>
      <span role="cell" class="c-took">
        <Took from={one.created_at} to={one.ended_at} now={now} />
      </span>
      <span role="cell" class="c-labels">
        {Object.entries(one.labels).map(([name, value]) => (
          <button
            type="button"
            class="chip"
            key={name}
            title={`Only executions with ${name}:${value}`}
            onClick={() => filterBy(`${name}:${value}`)}
          >
            {name}:{value}
          </button>
        ))}
      </span>
    </div>
  );
}

function StepOf({ one }: { one: Execution }) {
  if (one.status === "RUNNING") return <span class="dim">{currentStep(one.execution_id)}</span>;
  if (!one.error) return null;
  const { step, type, message } = one.error;
  return (
    <span title={`${type}: ${message}`}>
      <span class="failed-step">{step ?? "workflow code"}</span> <span class="dim">{message ? `${type}: ${message.slice(0, 200)}` : type}</span>
    </span>
  );
}
