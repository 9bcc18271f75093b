/** What an execution is and how it stands, and the buttons. */

import { valuesWithheld } from "../api/key";
import type { ExecutionDetail, Json, MapProgress } from "../api/types";
import { underWay } from "../executions/current";
import { bytes, inShort, told } from "../lib/json";
import { useNow } from "../lib/now";
import { href } from "../lib/router";
import { Copy } from "../parts/json";
import { Status } from "../parts/status";
import { Moment, Took } from "../parts/time";
import { Actions } from "./actions";
import { byWhom, done } from "./interventions";

/** Which run is shown, of an execution that continues as new, with the way to the one before and to the current one. */
function Run({ execution }: { execution: ExecutionDetail }) {
  const run = execution.run ?? 1;
  const to = (query: Record<string, string>): string => href(["executions", execution.execution_id], query);
  return (
    <div>
      <dt>Run</dt>
      <dd>
        {run}
        {run > 1 && (
          <>
            {" "}
            · <a href={to({ run: String(run - 1) })}>run {run - 1}</a>
          </>
        )}
        {execution.continued && (
          <>
            {" "}
            · <a href={to({})}>current run</a>
          </>
        )}
      </dd>
    </div>
  );
}

export function Header({ execution, refresh }: { execution: ExecutionDetail; refresh: () => void }) {
  const now = useNow(execution.status === "RUNNING" ? 250 : 30_000);
  return (
    <header class="execution-head">
      <div class="title-line">
        <h1 title={execution.execution_id}>{execution.execution_id}</h1>
        <Copy text={() => execution.execution_id} subject="execution id" label="Copy id" />
        <span role="status" class="big-status">
          <Status status={execution.status} />
        </span>
      </div>
      <dl class="facts">
        <div>
          <dt>Workflow</dt>
          <dd>
            <a href={href(["workflows", execution.workflow])}>{execution.workflow}</a>
          </dd>
        </div>
        {execution.parent && (
          <div>
            <dt>{execution.parent.left ? "Left by" : "Child of"}</dt>
            <dd>
              <a href={href(["executions", execution.parent.execution_id])}>{execution.parent.execution_id}</a>
            </dd>
          </div>
        )}
        {execution.parent && execution.parent.depth > 1 && (
          <div>
            <dt>Root</dt>
            <dd>
              <a href={href(["executions", execution.parent.root])}>{execution.parent.root}</a>
            </dd>
          </div>
        )}
        {execution.status_value !== undefined && execution.status_value !== null && (
          <div>
            <dt>Shows</dt>
            <dd class="status-value">
              {told(execution.status_value)}
            </dd>
          </div>
        )}
        <div>
          <dt>Started</dt>
          <dd>
            <Moment at={execution.created_at} now={now} />
          </dd>
        </div>
        {execution.ended_at && (
          <div>
            <dt>Ended</dt>
            <dd>
              <Moment at={execution.ended_at} now={now} />
            </dd>
          </div>
        )}
        <div>
          <dt>Duration</dt>
          <dd>
            <Took from={execution.created_at} to={execution.ended_at} now={now} />
          </dd>
        </div>
        {execution.status === "RUNNING" && <Fact name="Under way" value={underWay(execution.partial ? (execution.notable ?? []) : execution.commands)} />}
        {execution.forked_from && (
          <div>
            <dt>Forked from</dt>
            <dd>
              <a href={href(["executions", execution.forked_from.execution_id])}>{execution.forked_from.execution_id}</a>
              {execution.forked_from.before.length > 0 && ` before ${execution.forked_from.before.join(", ")}`}
              {execution.forked_from.by && ` by ${execution.forked_from.by}`}
              {execution.forked_from.why && `: ${execution.forked_from.why}`}{" "}
              <a href={href(["compare", execution.execution_id])}>Compare with its origin</a>
            </dd>
          </div>
        )}
        {execution.intervention && (
          <div>
            <dt>{done(execution.intervention)}</dt>
            <dd>
              <Moment at={execution.intervention.at} now={now} /> {byWhom(execution.intervention)}
            </dd>
          </div>
        )}
        {(execution.progress ?? []).map((map) => (
          <Fact key={map.id} name={`Map of ${map.name}`} value={mapped(map)} />
        ))}
        {(execution.run ?? 1) > 1 || execution.continued ? <Run execution={execution} /> : null}
        {execution.resumes > 0 && (
          <div>
            <dt>Resumed</dt>
            <dd>{execution.resumes === 1 ? "once" : `${execution.resumes} times`}</dd>
          </div>
        )}
        <div>
          <dt>Commands</dt>
          <dd>{counted(execution)}</dd>
        </div>
        {Object.entries(execution.labels).map(([name, value]) => (
          <div key={name} class="label">
            <dt>{name}</dt>
            <dd>
              <a href={href(["executions"], { label: `${name}:${value}` })}>{value || "–"}</a>
            </dd>
          </div>
        ))}
        <Brief execution={execution} name="input" label="Input" />
        {execution.status === "SUCCEEDED" && <Brief execution={execution} name="result" label="Result" />}
      </dl>
      <Actions execution={execution} refresh={refresh} />
    </header>
  );
}

/** How far a map has come, in a line. */
export function mapped(map: MapProgress): string {
  const batches = `${map.batches_ended.toLocaleString("en")} of ${map.batches?.toLocaleString("en") ?? "?"} batches`;
  const failed = map.failed ? `, ${map.failed.toLocaleString("en")} failed` : "";
  return `${batches}, ${map.succeeded.toLocaleString("en")} items succeeded${failed}`;
}

const Fact = ({ name, value }: { name: string; value: string }) =>
  value ? (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  ) : null;

/** The beginning of a value, which leads to all of it. */
function Brief({ execution, name, label }: { execution: ExecutionDetail; name: "input" | "result"; label: string }) {
  const size = execution.omitted[name];
  const text = valuesWithheld.value ? "withheld" : size === undefined ? inShort(execution[name] as Json, 300) : size === null ? "large" : bytes(size);
  return (
    <div class="brief">
      <dt>{label}</dt>
      <dd>
        <a href={href(["executions", execution.execution_id], { view: "values" })}>{text}</a>
      </dd>
    </div>
  );
}

function counted(execution: ExecutionDetail): string {
  if (execution.partial) return "very many";
  const total = execution.total ?? execution.commands.length;
  const done = execution.counts?.SUCCEEDED ?? 0;
  const all = total.toLocaleString("en");
  return done === total ? all : `${done.toLocaleString("en")} of ${all} done`;
}
