/** The list of executions: live at the top and where one looks, loaded further down as one gets there. */

import { useEffect, useMemo, useRef } from "preact/hooks";

import { listWorkflows, readExecution } from "../api/client";
import { key } from "../api/key";
import type { Execution } from "../api/types";
import { present, useNow } from "../lib/now";
import { usePoll } from "../lib/poll";
import { go, href, place } from "../lib/router";
import { useNarrow, useWindow } from "../lib/virtual";
import { Empty, Loading, ProblemNote } from "../parts/note";
import { FilterBar } from "./bar";
import { learn } from "./current";
import { Feed } from "./feed";
import { asked, filtersOf, isFiltered, parametersOf, withPrefix, type Filters } from "./filters";
import { NARROW, rowHeight, Rows } from "./rows";

const EVERY = 2000;
/** Rows that are looked through for an id's beginning before one has to ask for more. */
const SEARCHED = 5000;

export function ExecutionsPage() {
  const filters = filtersOf(place.value.query);
  const { id: prefix, ...others } = filters;
  const identity = JSON.stringify([others, key.value]);
  const feed = useMemo(() => new Feed(() => asked(filters, present())), [identity]);
  const workflows = usePoll("workflows", listWorkflows, () => null);
  const exact = usePoll(`id ${prefix}`, (signal) => findExact(prefix, signal), () => null);
  const now = useNow(1000);
  const { rows: loaded, next } = feed.held.value;
  const rows = useMemo(() => withPrefix(loaded, prefix), [loaded, prefix]);
  const shown = !rows.length && exact.value ? [exact.value] : rows;
  const height = rowHeight(useNarrow(NARROW));
  const [visible, ref] = useWindow(shown.length, height);
  const looked = useRef({ visible, shown, prefix });
  looked.current = { visible, shown, prefix };

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    let turns = 0;
    let over = false;
    async function turn(): Promise<void> {
      const began = performance.now();
      if (!document.hidden) {
        await feed.renewTop();
        const { visible, shown, prefix } = looked.current;
        const [first, end] = [Math.max(0, visible.first), Math.min(shown.length, visible.end)];
        if (!prefix && turns++ % 2 && first > 0) await feed.renewStretch(first, end);
        const running = shown.slice(first, end).filter((one) => one.status === "RUNNING");
        void learn(running.slice(0, 25).map((one) => one.execution_id));
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

  const nearEnd = visible.end >= shown.length - 20;
  const search = prefix !== "" && loaded.length >= SEARCHED;
  useEffect(() => {
    if (next !== null && nearEnd && !search) void feed.grow();
  }, [feed, next, nearEnd, search, loaded]);

  const change = (to: Filters): void => go(href(["executions"], parametersOf(to)), true);
  return (
    <div class="page list-page">
      <h1 class="unseen">Executions</h1>
      <FilterBar filters={filters} workflows={workflows.value?.workflows.map((one) => one.name) ?? []} change={change} />
      <ProblemNote problem={feed.error.value} retry={() => void feed.renewTop()} />
      <Summary shown={shown.length} loaded={loaded.length} more={next !== null} prefix={prefix} />
      {!feed.loaded.value ? (
        !feed.error.value && <Loading what="executions" />
      ) : shown.length ? (
        <div class="scroller" ref={ref} tabIndex={0} role="region" aria-label="Executions" onKeyDown={walk}>
          <div class="table executions" role="table" aria-label="Executions" aria-rowcount={shown.length + 1}>
            <Head />
            <Rows
              rows={shown}
              window={visible}
              now={now}
              filterBy={(label) => change({ ...filters, labels: [...new Set([...filters.labels, label])] })}
            />
          </div>
          {next !== null && (
            <button type="button" class="more quiet" onClick={() => void feed.grow()}>
              Load older executions
            </button>
          )}
        </div>
      ) : (
        <Nothing filters={filters} />
      )}
    </div>
  );
}

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

function Summary({ shown, loaded, more, prefix }: { shown: number; loaded: number; more: boolean; prefix: string }) {
  if (!loaded) return null;
  const counted = `${shown.toLocaleString("en")}${more && !prefix ? "+" : ""} execution${shown === 1 ? "" : "s"}`;
  return (
    <p class="summary dim" role="status">
      {counted}
      {prefix && `, among the newest ${loaded.toLocaleString("en")}${more ? "; scroll down to look further" : ""}`}
    </p>
  );
}

function Nothing({ filters }: { filters: Filters }) {
  if (isFiltered(filters)) {
    return (
      <Empty title="No execution matches these filters">
        <p>
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

/** The execution of exactly this id, which may be far down the list. */
async function findExact(id: string, signal: AbortSignal): Promise<Execution | null> {
  if (!/^[A-Za-z0-9._-]{1,128}$/.test(id) || /^\.+$/.test(id)) return null;
  return readExecution(id, signal).catch(() => null);
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
