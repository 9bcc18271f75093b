/** The audit list: who has asked for which change, when and why, and what came of it. */

import { useState } from "preact/hooks";

import { listAudit, type AuditLine } from "../api/audit";
import { useNow } from "../lib/now";
import { usePoll } from "../lib/poll";
import { go, href, place } from "../lib/router";
import { Empty, Loading, ProblemNote } from "../parts/note";
import { Moment } from "../parts/time";

const PAGE = 50;
const FILTERS = [
  ["execution_id", "Execution or job"],
  ["by", "By"],
  ["action", "Action"],
] as const;

export function AuditPage() {
  const query = place.value.query;
  const wanted = Object.fromEntries(FILTERS.map(([name]) => [name, query.get(name) ?? ""]));
  const address = JSON.stringify(wanted);
  return <Lines key={address} wanted={wanted} />;
}

function Lines({ wanted }: { wanted: Record<string, string> }) {
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const cursor = cursors.at(-1) ?? null;
  const polled = usePoll(`audit ${JSON.stringify(wanted)} ${cursor}`, (signal) => listAudit({ ...wanted, limit: PAGE, cursor }, signal), () => 10000);
  const now = useNow(1000);
  const list = polled.value;
  return (
    <div class="page audit-page">
      <h1>Audit</h1>
      <p class="dim lead">Who has asked for which change, also of executions that are deleted by now.</p>
      <form
        class="filters"
        aria-label="Filter"
        onSubmit={(event) => {
          event.preventDefault();
          const fields = new FormData(event.currentTarget);
          go(href(["audit"], Object.fromEntries(FILTERS.map(([name]) => [name, String(fields.get(name) ?? "").trim()]))));
        }}
      >
        {FILTERS.map(([name, label]) => (
          <label key={name}>
            {label} <input name={name} defaultValue={wanted[name] ?? ""} />
          </label>
        ))}
        <button type="submit">Show</button>
      </form>
      <ProblemNote problem={polled.error} retry={polled.refresh} />
      {!list ? (
        !polled.error && <Loading subject="the audit list" />
      ) : list.lines.length ? (
        <ul class="cards" aria-label="Changes">
          {list.lines.map((line) => (
            <Line line={line} now={now} key={line.id} />
          ))}
        </ul>
      ) : (
        <Empty title={list.next ? "None on this page" : "No changes are listed"} />
      )}
      <div class="buttons">
        {cursor && (
          <button type="button" onClick={() => setCursors(cursors.slice(0, -1))}>
            Newer changes
          </button>
        )}
        {list?.next && (
          <button type="button" onClick={() => setCursors([...cursors, list.next as string])}>
            Older changes
          </button>
        )}
      </div>
    </div>
  );
}

function Line({ line, now }: { line: AuditLine; now: number }) {
  const isJob = line.action.endsWith("-job");
  return (
    <li class="panel">
      <p>
        <strong>{line.action}</strong>{" "}
        {line.execution_id && <a href={href([isJob ? "jobs" : "executions", line.execution_id])}>{line.execution_id}</a>}
        {line.target && ` ${line.target}`}
        {line.count > 0 && ` ${line.count.toLocaleString("en")} executions`} · {line.outcome}
        {line.outcome !== "done" && line.status !== null && ` (${line.status})`}
      </p>
      <p class="dim">
        <Moment at={line.at} now={now} />
        {line.by && ` by ${line.by}`}
        {line.why && <span class="say">: {line.why}</span>}
      </p>
    </li>
  );
}
