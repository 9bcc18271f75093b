/** One command: what went in, what came out, and every attempt. */

import { useEffect, useRef, useState } from "preact/hooks";

import type { Command, ExecutionDetail } from "../api/types";
import { inShort } from "../lib/json";
import { href } from "../lib/router";
import { exactly, seconds, span } from "../lib/time";
import { Copy } from "../parts/json";
import { Status } from "../parts/status";
import { nameOf } from "../timeline/layout";
import { FailureBox } from "./failure";
import { allTries, type ShownAttempt } from "./attempts";
import { repairable, RepairDialog } from "./repair";
import { CommandValue } from "./value";

interface Props {
  command: Command;
  earlier: Map<string, ShownAttempt[]>;
  execution: ExecutionDetail;
  close: () => void;
  refresh: () => void;
}

export function Details({ command, earlier, execution, close, refresh }: Props) {
  const [repairs, setRepairs] = useState(false);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (matchMedia("(max-width: 1100px)").matches) heading.current?.scrollIntoView({ block: "start" });
  }, []);
  const tries = command.kind === "step" ? allTries(command, earlier) : [];
  return (
    <aside class="details" aria-label={`Details of ${nameOf(command)}`}>
      <header>
        <h2 ref={heading}>{nameOf(command)}</h2>
        <Status status={command.status} />
        <button type="button" class="quiet" onClick={close} aria-label="Close the details">
          ✕
        </button>
      </header>
      {repairable(execution, command) && (
        <div class="buttons">
          <button type="button" onClick={() => setRepairs(true)}>
            Repair…
          </button>
        </div>
      )}
      {repairs && <RepairDialog {...{ execution, command }} close={() => setRepairs(false)} done={() => (setRepairs(false), refresh())} />}
      <Facts command={command} idempotency={command.idempotency_key ?? null} />
      {command.error && !tries.some((past) => past.error) && <FailureBox error={command.error} />}
      {tries.length > 0 && (
        <section aria-label="Attempts">
          <h3>{tries.length === 1 ? "Attempt" : `${tries.length} attempts`}</h3>
          <ol class="tries">
            {[...tries].reverse().map((past) => (
              <Tried key={`${past.generation} ${past.attempt}`} attempt={past} />
            ))}
          </ol>
        </section>
      )}
      {(command.kind === "step" || (command.kind === "child" && command.ended_at)) && <CommandValue {...{ execution, command }} name="input" label="Input" />}
      {command.status === "SUCCEEDED" && command.kind !== "timer" && (
        <CommandValue {...{ execution, command }} name="output" label={command.kind === "signal" ? "Payload" : "Output"} />
      )}
    </aside>
  );
}

function Facts({ command, idempotency }: { command: Command; idempotency: string | null }) {
  const began = command.first_at;
  const facts: [string, string | null][] = [
    ["Command id", command.id],
    ["About", command.label ?? null],
    ["Asked for", exact(command.asked_at ?? began)],
    ["Taken by a worker", command.asked_at && command.status !== "OPEN" ? exact(began) : null],
    ["Ended", exact(command.ended_at)],
    ["Took", began && command.ended_at && span(seconds(command.ended_at) - seconds(began))],
    [command.kind === "timer" ? "Until" : "Tried again", dueOf(command)],
    ["Begun before the resume; tried again at the latest", exact(command.held_until ?? null)],
    ["Progress", command.progress == null ? null : inShort(command.progress, 300)],
    ["Pool", command.pool],
    ["Generation", command.generation ? String(command.generation) : null],
    ["Signal id", command.signal_id],
  ];
  return (
    <dl class="facts">
      {facts.map(
        ([name, value]) =>
          value && (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
      {[...(command.children ?? [])].reverse().map((id, number) => (
        <div key={id}>
          <dt>{number === 0 ? "Child" : "Earlier child"}</dt>
          <dd>
            <a href={href(["executions", id])}>{id}</a>
          </dd>
        </div>
      ))}
      {idempotency && (
        <div>
          <dt>Idempotency key</dt>
          <dd>
            <code>{idempotency}</code> <Copy text={() => idempotency} subject="idempotency key" />
          </dd>
        </div>
      )}
    </dl>
  );
}

const exact = (time: string | null): string | null => time && exactly(seconds(time));

const dueOf = (command: Command): string | null =>
  command.ended_at ? null : exact(command.due);

function Tried({ attempt }: { attempt: ShownAttempt }) {
  const took = attempt.to === null ? "still running" : `took ${span(attempt.to - attempt.from)}`;
  return (
    <li class={`try o-${attempt.outcome}`}>
      <p class="head">
        <strong>
          Attempt {attempt.attempt}
          {attempt.generation > 0 && `, generation ${attempt.generation}`}
        </strong>{" "}
        <span class="outcome">{attempt.outcome}</span>
        <span class="dim">
          {" "}
          {exactly(attempt.from)}, {took}
          {attempt.outcome === "interrupted" && " (its process died)"}
          {attempt.next !== null && attempt.to !== null && attempt.next > attempt.to && `; next one after ${span(attempt.next - attempt.to)}`}
        </span>
      </p>
      {attempt.error && <FailureBox error={attempt.error} />}
    </li>
  );
}
