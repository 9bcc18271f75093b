/** The list of executions: live at the top and where one looks, loaded further down as one gets there. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { listExecutions, listWorkflows } from "../api/client";
import { key } from "../api/key";
import type { ExecutionList } from "../api/types";
import { present, useNow } from "../lib/now";
import { usePoll } from "../lib/poll";
import { go, href, place } from "../lib/router";
import { useNarrow, useWindow } from "../lib/virtual";
import { Empty, Loading, ProblemNote } from "../parts/note";
import { FilterBar } from "./filterbar";
import { Choosing } from "./choosing";
import { learn } from "./current";
import { Feed } from "./feed";
import { asked, filtersOf, isFiltered, jobFilter, mayBegin, parametersOf, type Filters } from "./filters";
import { NARROW, rowHeight, Rows } from "./rows";

const EVERY = 2000;
/** Rows that are kept fresh at least, and the most whose current step is asked for. */
const SEEN = 25;
/** Milliseconds between two counts of all that match. */
const COUNTED = 15_000;

export function ExecutionsPage() {
  const filters = filtersOf(place.value.query);
  const identity = JSON.stringify([filters, key.value]);
  const feed = useMemo(
    () => new Feed(() => asked(filters, present()), mayBegin(filters.id) ? listExecutions : none),
    [identity],
  );
  const workflows = usePoll("workflows", listWorkflows, () => null);
  const now = useNow(1000);
  const [chosen, setChosen] = useState<ReadonlySet<string> | null>(null);
  // Where the list ends nobody has to count it.
  const counts = feed.held.value.next !== null && mayBegin(filters.id);
  const totals = usePoll(
    counts ? `total ${identity}` : "",
    (signal) => (counts ? listExecutions({ ...asked(filters, present()), limit: 1, total: "true" }, signal) : none()),
    () => (counts ? COUNTED : null),
  );
  const { next } = feed.held.value;
  const rows = useMemo(() => feed.rows, [feed.held.value, feed.named.value]);
  const height = rowHeight(useNarrow(NARROW));
  const [visible, ref] = useWindow(rows.length, height);
  const looked = useRef(visible);
  looked.current = visible;

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    let over = false;
    async function turn(): Promise<void> {
      const began = performance.now();
      if (!document.hidden) {
        const { first, end } = looked.current;
        await feed.renew(first, Math.max(end, first + SEEN));
        const shown = feed.rows.slice(first, Math.max(end, first + SEEN));
        void learn(shown.filter((row) => row.status === "RUNNING").map((row) => row.execution_id).slice(0, SEEN));
      }
      if (!over) timer = setTimeout(() => void turn(), Math.max(EVERY, 4 * (performance.now() - began)));
    }
    void turn();
    return () => {
      over = true;
      clearTimeout(timer);
      feed.close();
    };
  }, [feed]);

  const nearEnd = visible.end >= rows.length - 20;
  useEffect(() => {
    if (next !== null && nearEnd) void feed.grow();
  }, [feed, next, nearEnd, rows]);

  const change = (to: Filters): void => go(href(["executions"], parametersOf(to)), true);
  return (
    <div class="page list-page">
      <h1 class="unseen">Executions</h1>
      <FilterBar filters={filters} workflows={workflows.value?.workflows.map((workflow) => workflow.name) ?? []} change={change} />
      <ProblemNote problem={feed.error.value} retry={() => void feed.renew(0, SEEN)} />
      {rows.length > 0 && (
        <div class="summary">
          <p class="dim" role="status">
            {counted(rows.length, next !== null, totals.value?.total ?? null)}
          </p>
          <Choosing rows={rows} chosen={chosen} choose={setChosen} filter={jobFilter(filters, present())} />
        </div>
      )}
      {rows.length ? (
        <div class="scroller" ref={ref} tabIndex={0} role="region" aria-label="Executions" onKeyDown={walk}>
          <div class="table executions" role="table" aria-label="Executions" aria-rowcount={next === null ? rows.length + 1 : -1}>
            <Head />
            <Rows
              rows={rows}
              window={visible}
              now={now}
              chosen={chosen}
              choose={setChosen}
              filterBy={(label) => change({ ...filters, labels: [...new Set([...filters.labels, label])] })}
            />
          </div>
          {next !== null && (
            <button type="button" class="more quiet" onClick={() => void feed.grow()}>
              Load older executions
            </button>
          )}
        </div>
      ) : next !== null || !feed.loaded.value ? (
        !feed.error.value && <Loading subject={isFiltered(filters) ? "executions that match" : "executions"} />
      ) : (
        <Nothing filters={filters} />
      )}
    </div>
  );
}

/** All that match, as far as they are counted; until that is known, what is loaded. */
function counted(loaded: number, more: boolean, total: ExecutionList["total"] | null): string {
  const known = more && total && total.count >= loaded ? total : { count: loaded, complete: !more };
  return `${known.count.toLocaleString("en")}${known.complete ? "" : "+"} execution${known.count === 1 ? "" : "s"}`;
}

const none = (): Promise<ExecutionList> => Promise.resolve({ executions: [], next: null });

function Head() {
  const names = ["Status", "Execution", "Workflow", "Step", "Started", "Duration", "Labels"];
  return (
    <div role="rowgroup" class="head">
      <div role="row" aria-rowindex={1} class="row">
        {names.map((name) => (
          <span role="columnheader" key={name}>
            {name}
          </span>
        ))}
      </div>
    </div>
  );
}

function Nothing({ filters }: { filters: Filters }) {
  if (isFiltered(filters)) {
    return (
      <Empty title="No execution matches these filters">
        <p>
          {!mayBegin(filters.id) && "Ids hold nothing but A–Z a–z 0–9 . _ and -. "}
          Take a filter away, or <a href={href(["executions"])}>see all executions</a>.
        </p>
      </Empty>
    );
  }
  return (
    <Empty title="No executions yet">
      <p>
        <a href={href(["start"])}>Start one here</a>, or with <code>stepfast run WORKFLOW INPUT</code>.
      </p>
    </Empty>
  );
}

/** Arrow keys go from row to row, as Tab does from link to link. */
function walk(event: KeyboardEvent): void {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by || !(event.currentTarget instanceof HTMLElement)) return;
  const box = event.currentTarget;
  const row = document.activeElement?.closest<HTMLElement>("[data-number]");
  const number = row ? Number(row.dataset["number"]) + by : Number(box.querySelector<HTMLElement>("[data-number]")?.dataset["number"] ?? 0);
  const to = box.querySelector<HTMLElement>(`[data-number="${number}"]`);
  if (!to) return;
  event.preventDefault();
  to.querySelector("a")?.focus({ preventScroll: true });
  to.scrollIntoView({ block: "nearest" });
}
