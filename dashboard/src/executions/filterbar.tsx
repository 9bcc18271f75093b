/** The list's filters as a form; each change is at once in the address. */

import { useEffect, useState } from "preact/hooks";

import { EXECUTION_STATUSES } from "../api/types";
import { asField, fromField, utc } from "../lib/time";
import { isFiltered, mayBegin, SPANS, type Filters } from "./filters";

interface Props {
  filters: Filters;
  workflows: readonly string[];
  change: (filters: Filters) => void;
}

const NONE: Filters = { workflow: "", status: "", labels: [], since: "", until: "", id: "", children: false };

export function FilterBar({ filters, workflows, change }: Props) {
  const names = filters.workflow && !workflows.includes(filters.workflow) ? [filters.workflow, ...workflows] : workflows;
  const set = (part: Partial<Filters>): void => change({ ...filters, ...part });
  return (
    <form class="filters" role="search" aria-label="Filter executions" onSubmit={(event) => event.preventDefault()}>
      <fieldset class="tabs">
        <legend class="unseen">Status</legend>
        {["", ...EXECUTION_STATUSES].map((status) => (
          <label key={status} class={filters.status === status ? "on" : ""}>
            <input type="radio" name="status" checked={filters.status === status} onChange={() => set({ status })} />
            {status || "ALL"}
          </label>
        ))}
      </fieldset>
      <label>
        <span>Workflow</span>
        <select value={filters.workflow} onChange={(event) => set({ workflow: event.currentTarget.value })}>
          <option value="">all</option>
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <TimeFilter filters={filters} set={set} />
      <Typed label="Id begins with" value={filters.id} set={(id) => set({ id: id.trim() })} fits={mayBegin} />
      <LabelFilter filters={filters} set={set} />
      <label class="check">
        <input type="checkbox" checked={filters.children} onChange={(event) => set({ children: event.currentTarget.checked })} />
        <span>Children too</span>
      </label>
      {isFiltered(filters) && (
        <button type="button" class="quiet" onClick={() => change(NONE)}>
          Clear filters
        </button>
      )}
    </form>
  );
}

type Set = (part: Partial<Filters>) => void;

function TimeFilter({ filters, set }: { filters: Filters; set: Set }) {
  const preset = SPANS.some(([text]) => text === filters.since);
  const own = (!preset && filters.since !== "") || filters.until !== "";
  const [open, setOpen] = useState(own);
  const shown = open || own;
  const pick = (value: string): void => {
    setOpen(value === "own");
    if (value !== "own") set({ since: value, until: "" });
  };
  return (
    <>
      <label>
        <span>Started</span>
        <select value={shown ? "own" : filters.since} onChange={(event) => pick(event.currentTarget.value)}>
          <option value="">any time</option>
          {SPANS.map(([text, words]) => (
            <option key={text} value={text}>
              {words}
            </option>
          ))}
          <option value="own">from … to …</option>
        </select>
      </label>
      {shown && (
        <>
          <Instant label="From" value={preset ? "" : filters.since} set={(since) => set({ since })} />
          <Instant label="Until" value={filters.until} set={(until) => set({ until })} />
        </>
      )}
    </>
  );
}

/** A time in the zone that all times are shown in, held in the address in UTC. */
function Instant({ label, value, set }: { label: string; value: string; set: (value: string) => void }) {
  return (
    <label class="instant">
      <span>
        {label} {utc.value && "(UTC)"}
      </span>
      <input type="datetime-local" value={asField(value)} onChange={(event) => set(fromField(event.currentTarget.value))} />
    </label>
  );
}

function LabelFilter({ filters, set }: { filters: Filters; set: Set }) {
  const [text, setText] = useState("");
  const fits = /^[^:=]+[:=]./.test(text);
  const add = (): void => {
    if (!fits) return;
    set({ labels: [...new Set([...filters.labels, text.trim()])] });
    setText("");
  };
  return (
    <>
      <label>
        <span>Label</span>
        <input
          placeholder="key:value ⏎"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onBlur={add}
          onKeyDown={(event) => event.key === "Enter" && add()}
        />
      </label>
      {filters.labels.map((text) => (
        <button
          type="button"
          class="chip on"
          key={text}
          aria-label={`Remove label ${text}`}
          onClick={() => set({ labels: filters.labels.filter((other) => other !== text) })}
        >
          {text} ✕
        </button>
      ))}
    </>
  );
}

interface TypedProps {
  label: string;
  value: string;
  set: (value: string) => void;
  fits: (value: string) => boolean;
}

/** Milliseconds without a key in which typing counts as paused. */
const PAUSE = 250;

/** A text that is taken over once the typing pauses. */
function Typed({ label, value, set, fits }: TypedProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return undefined;
    const timer = setTimeout(() => set(text), PAUSE);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <label>
      <span>{label}</span>
      <input value={text} spellcheck={false} aria-invalid={!fits(text.trim())} onInput={(event) => setText(event.currentTarget.value)} />
    </label>
  );
}
