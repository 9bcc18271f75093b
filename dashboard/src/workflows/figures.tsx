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
  const figures = polled.value;
  return (
    <>
      <section class="panel figures-panel" aria-label="Executions">
        <Choice name={name} period={period} />
        <ProblemNote problem={polled.error} retry={polled.refresh} />
        <ProblemNote problem={running.error} retry={running.refresh} />
        {figures ? <Ends {...{ figures, period }} /> : !polled.error && <Loading subject="the figures" />}
        <ul class="figures">
          {running.value !== null && <Count name={name} status="RUNNING" count={running.value} words="now" />}
          {figures && STATUSES.map((status) => <Count key={status} {...{ name, status }} count={totalOf(figures, status).toLocaleString("en")} />)}
        </ul>
        {figures?.durations && <Percentiles durations={figures.durations} />}
      </section>
      {figures && <StepFiguresTable steps={figures.steps} words={WORDS[span]} />}
    </>
  );
}

function Choice({ name, period: { span, bucket } }: { name: string; period: Period }) {
  const to = (part: Partial<Period>): string => href(["workflows", name], parametersOf({ span, bucket, ...part }));
  return (
    <nav class="choice" aria-label="Time of the figures">
      {SPANS.map((name) => (
        // A longer time begins with days again, whatever was chosen for another.
        <a key={name} href={to({ span: name, bucket: "day" })} aria-current={name === span ? "true" : undefined}>
          {WORDS[name]}
        </a>
      ))}
      {span !== "24h" &&
        (["hour", "day"] as const).map((length) => (
          <a key={length} class={length === "hour" ? "apart" : ""} href={to({ bucket: length })} aria-current={length === bucket ? "true" : undefined}>
            by {length}
          </a>
        ))}
    </nav>
  );
}

function Ends({ figures, period: { span, bucket } }: { figures: Figures; period: Period }) {
  if (!figures.buckets.some(sumOf)) {
    return <p class="dim">No execution has ended in the {WORDS[span]}{span !== "30d" && "; a longer time may show some"}.</p>;
  }
  return <StatusChart buckets={figures.buckets} by={bucket} label={`Executions by how and when they ended, ${WORDS[span]}, by ${bucket}`} />;
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

function Percentiles({ durations }: { durations: Durations }) {
  const facts: [string, string][] = [
    ["Median", lasting(durations.p50)],
    ["90 % within", lasting(durations.p90)],
    ["99 % within", lasting(durations.p99)],
    ["Longest", lasting(durations.longest)],
    ["Durations of", `${durations.count.toLocaleString("en")} SUCCEEDED`],
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
            {steps.map((step) => (
              <tr key={step.name}>
                <th scope="row">{step.name}</th>
                <td>{step.attempts.toLocaleString("en")}</td>
                <td>
                  <Rate step={step} />
                </td>
                <td class={step.given_up ? "bad" : "dim"}>{step.given_up.toLocaleString("en")}</td>
                <td>{step.seconds === null ? <span class="dim">–</span> : lasting(step.seconds)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Rate({ step: { name, attempts, failures } }: { step: StepFigures }) {
  if (!failures) return <span class="dim">0</span>;
  return (
    <span class="rate">
      <meter max={1} value={failures / Math.max(1, attempts)} aria-label={`Share of attempts that failed at ${name}`} />
      {failures.toLocaleString("en")} ({percent(failures, attempts)})
    </span>
  );
}
