/** The executions on screen, of a list of any length. */

import type { Execution } from "../api/types";
import { href } from "../lib/router";
import { told } from "../lib/json";
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
      {rows.slice(first, end).map((row, index) => (
        <Row
          key={row.execution_id}
          execution={row}
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
  execution: Execution;
  number: number;
  top: number;
  now: number;
  filterBy: (label: string) => void;
  chosen: ReadonlySet<string> | null;
  choose: (chosen: ReadonlySet<string>) => void;
}

function Row({ execution, number, top, now, filterBy, chosen, choose }: RowProps) {
  return (
    <div
      role="row"
      aria-rowindex={number + 2}
      class={`row is-${execution.status.toLowerCase()}`}
      style={{ transform: `translateY(${top}px)` }}
      data-number={number}
    >
      <span role="cell" class="c-status">
        {chosen && (
          <Check
            on={chosen.has(execution.execution_id)}
            some={false}
            label={`Choose ${execution.execution_id}`}
            set={(on) => choose(new Set([...chosen].filter((id) => id !== execution.execution_id).concat(on ? [execution.execution_id] : [])))}
          />
        )}
        <Status status={execution.status} />
      </span>
      <span role="cell" class="c-id">
        <a href={href(["executions", execution.execution_id])} title={execution.execution_id}>
          {execution.execution_id}
        </a>
      </span>
      <span role="cell" class="c-workflow" title={execution.workflow}>
        {execution.workflow}
      </span>
      <span role="cell" class="c-step">
        <StepOf execution={execution} />
      </span>
      <span role="cell" class="c-started">
        <Moment at={execution.created_at} now={now} />
      </span>
      <span role="cell" class="c-took">
        <Took from={execution.created_at} to={execution.ended_at} now={now} />
      </span>
      <span role="cell" class="c-labels">
        {Object.entries(execution.labels).map(([name, value]) => (
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

function StepOf({ execution }: { execution: Execution }) {
  if (execution.status === "RUNNING" || execution.status === "PAUSED") {
    const shows = execution.status_value == null ? "" : told(execution.status_value);
    const step = currentStep(execution.execution_id);
    return (
      <span title={shows || undefined}>
        {shows} {shows && step && "· "}
        <span class="dim">{step}</span>
      </span>
    );
  }
  if (!execution.error) return null;
  const { step, type, message } = execution.error;
  return (
    <span title={`${type}: ${message}`}>
      <span class="failed-step">{step ?? "workflow code"}</span> <span class="dim">{message ? `${type}: ${message.slice(0, 200)}` : type}</span>
    </span>
  );
}
