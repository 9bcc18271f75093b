/** What an execution is and how it stands, and the buttons. */

import type { ExecutionDetail, Json } from "../api/types";
import { underWay } from "../executions/current";
import { bytes, inShort } from "../lib/json";
import { useNow } from "../lib/now";
import { href } from "../lib/router";
import { Copy } from "../parts/json";
import { Status } from "../parts/status";
import { Moment, Took } from "../parts/time";
import { Actions } from "./actions";

export function Header({ one, refresh }: { one: ExecutionDetail; refresh: () => void }) {
  const now = useNow(one.status === "RUNNING" ? 250 : 30_000);
  return (
    <header class="execution-head">
      <div class="title-line">
        <h1 title={one.execution_id}>{one.execution_id}</h1>
        <Copy text={() => one.execution_id} what="execution id" label="Copy id" />
        <span role="status" class="big-status">
          <Status status={one.status} />
        </span>
      </div>
      <dl class="facts">
        <div>
          <dt>Workflow</dt>
          <dd>
            <a href={href(["workflows", one.workflow])}>{one.workflow}</a>
          </dd>
        </div>
        <div>
          <dt>Started</dt>
          <dd>
            <Moment at={one.created_at} now={now} />
          </dd>
        </div>
        {one.ended_at && (
          <div>
            <dt>Ended</dt>
            <dd>
              <Moment at={one.ended_at} now={now} />
            </dd>
          </div>
        )}
        <div>
          <dt>Duration</dt>
          <dd>
            <Took from={one.created_at} to={one.ended_at} now={now} />
          </dd>
        </div>
        {one.status === "RUNNING" && <Fact name="Under way" value={underWay(one.commands)} />}
        {one.resumes > 0 && (
          <div>
            <dt>Resumed</dt>
            <dd>{one.resumes === 1 ? "once" : `${one.resumes} times`}</dd>
          </div>
        )}
        <div>
          <dt>Commands</dt>
          <dd>{counted(one)}</dd>
        </div>
        {Object.entries(one.labels).map(([name, value]) => (
          <div key={name} class="label">
            <dt>{name}</dt>
            <dd>
              <a href={href(["executions"], { label: `${name}:${value}` })}>{value || "–"}</a>
            </dd>
          </div>
        ))}
        <Brief one={one} name="input" label="Input" />
        {one.status === "SUCCEEDED" && <Brief one={one} name="result" label="Result" />}
      </dl>
      <Actions one={one} refresh={refresh} />
    </header>
  );
}

const Fact = ({ name, value }: { name: string; value: string }) =>
  value ? (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  ) : null;

/** The beginning of a value, which leads to all of it. */
function Brief({ one, name, label }: { one: ExecutionDetail; name: "input" | "result"; label: string }) {
  const size = one.omitted[name];
  const text = size === undefined ? inShort(one[name] as Json, 300) : size === null ? "large" : bytes(size);
  return (
    <div class="brief">
      <dt>{label}</dt>
      <dd>
        <a href={href(["executions", one.execution_id], { view: "values" })}>{text}</a>
      </dd>
    </div>
  );
}

function counted(one: ExecutionDetail): string {
  const total = one.total ?? one.commands.length;
  const done = one.counts?.SUCCEEDED ?? 0;
  const all = total.toLocaleString("en");
  return done === total ? all : `${done.toLocaleString("en")} of ${all} done`;
}
