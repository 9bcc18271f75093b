/** How a workflow's executions have gone in a time that the address says: a chart, percentiles, each step. */

import { figuresOf } from "../api/client";
import type { Durations, Figures, StepFigures } from "../api/types";
import { present } from "../lib/now";
import { usePoll } from "../lib/poll";
import { href } from "../lib/router";
import { span as lasting } from "../lib/time";
import { Loading, ProblemNote } from "../parts/note";
import { Status } from "../parts/status";
import { StatusChart } from "./chart";
import { asked, parametersOf, percent, SPANS, STATUSES, sumOf, totalOf, WORDS, type Period } from "./period";
import { runningNow } from "./running";

export function FiguresPanel({ name, period }: { name: string; period: Period }) {
  const { span, bucket } = period;
  const polled = usePoll(`figures ${name} ${span} ${bucket}`, (signal) => figuresOf(name, asked(period, present()), signal), () => 10_000);
  const running = usePoll(`running ${name}`, (signal) => runningNow(name, signal), () => 10_000);
  const found = polled.value;
  return (
    <>
      <section class="panel figures-panel" aria-label="Executions">
        <Choice name={name} period={period} />
        <ProblemNote problem={polled.error} retry={polled.refresh} />
        <ProblemNote problem={running.error} retry={running.refresh} />
        {found ? <Ends {...{ found, period }} /> : !polled.error && <Loading what="the figures" />}
        <ul class="figures">
          {running.value !== null && <Count name={name} status="RUNNING" count={running.value} words="now" />}
          {found && STATUSES.map((status) => <Count key={status} {...{ name, status }} count={totalOf(found, status).toLocaleString("en")} />)}
        </ul>
        {found?.durations && <Percentiles found={found.durations} />}
      </section>
      {found && <StepFiguresTable steps={found.steps} words={WORDS[span]} />}
    </>
  );
}

function Choice({ name, period: { span, bucket } }: { name: string; period: Period }) {
  const to = (part: Partial<Period>): string => href(["workflows", name], parametersOf({ span, bucket, ...part }));
  return (
    <nav class="choice" aria-label="Time of the figures">
      {SPANS.map((one) => (
        // A longer time begins with days again, whatever was chosen for another.
        <a key={one} href={to({ span: one, bucket: "day" })} aria-current={one === span ? "true" : undefined}>
          {WORDS[one]}
        </a>
      ))}
      {span !== "24h" &&
        (["hour", "day"] as const).map((one) => (
          <a key={one} class={one === "hour" ? "apart" : ""} href={to({ bucket: one })} aria-current={one === bucket ? "true" : undefined}>
            by {one}
          </a>
        ))}
    </nav>
  );
}

function Ends({ found, period: { span, bucket } }: { found: Figures; period: Period }) {
  if (!found.buckets.some(sumOf)) {
    return <p class="dim">No execution has ended in the {WORDS[span]}{span !== "30d" && "; a longer time may show some"}.</p>;
  }
  return <StatusChart buckets={found.buckets} by={bucket} label={`Executions by how and when they ended, ${WORDS[span]}, by ${bucket}`} />;
}

interface CountProps {
  name: string;
  status: "RUNNING" | (typeof STATUSES)[number];
  count: string;
  words?: string;
}

function Count({ name, status, count, words }: CountProps) {
  return (
    <li>
      <a href={href(["executions"], { workflow: name, status })}>
        <strong>{count}</strong> <Status status={status} />
        {words && ` ${words}`}
      </a>
    </li>
  );
}

function Percentiles({ found }: { found: Durations }) {
  const facts: [string, string][] = [
    ["Median", lasting(found.p50)],
    ["90 % within", lasting(found.p90)],
    ["99 % within", lasting(found.p99)],
    ["Longest", lasting(found.longest)],
    ["Durations of", `${found.count.toLocaleString("en")} SUCCEEDED`],
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function StepFiguresTable({ steps, words }: { steps: readonly StepFigures[]; words: string }) {
  if (!steps.length) return null;
  const title = `How its steps went, ${words}`;
  return (
    <section aria-label={title} class="steps">
      <h2>{title}</h2>
      <div class="wide" tabIndex={0} role="region" aria-label="Figures of its steps">
        <table>
          <thead>
            <tr>
              {["Step", "Attempts", "Failed attempts", "Given up", "Mean time"].map((name) => (
                <th scope="col" key={name}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {steps.map((one) => (
              <tr key={one.name}>
                <th scope="row">{one.name}</th>
                <td>{one.attempts.toLocaleString("en")}</td>
                <td>
                  <Rate found={one} />
                </td>
                <td class={one.given_up ? "bad" : "dim"}>{one.given_up.toLocaleString("en")}</td>
                <td>{one.seconds === null ? <span class="dim">–</span> : lasting(one.seconds)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Rate({ found: { name, attempts, failures } }: { found: StepFigures }) {
  if (!failures) return <span class="dim">0</span>;
  return (
    <span class="rate">
      <meter max={1} value={failures / Math.max(1, attempts)} aria-label={`Share of attempts that failed at ${name}`} />
      {failures.toLocaleString("en")} ({percent(failures, attempts)})
    </span>
  );
}
