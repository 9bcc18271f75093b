/** What an execution is and how it stands, and the buttons. */

import type { ExecutionDetail } from "../api/types";
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
        {one.generation > 0 && (
          <div>
            <dt>Resumed</dt>
            <dd>{one.generation === 1 ? "once" : `${one.generation} times`}</dd>
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
      </dl>
      <Actions one={one} refresh={refresh} />
    </header>
  );
}

function counted(one: ExecutionDetail): string {
  const done = one.commands.filter((command) => command.status === "SUCCEEDED").length;
  const all = one.commands.length.toLocaleString("en");
  return done === one.commands.length ? all : `${done.toLocaleString("en")} of ${all} done`;
}
