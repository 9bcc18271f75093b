/** The limits of the steps that are deployed here, and one of them. */

import { listLimits } from "../api/client";
import { usePoll } from "../lib/poll";
import { href } from "../lib/router";
import { Empty, Loading, ProblemNote } from "../parts/note";
import { LimitPanel } from "./panel";

export function LimitsPage() {
  const polled = usePoll("limits", listLimits, () => 30_000);
  const limits = polled.value?.limits;
  if (!limits) return polled.error ? <ProblemNote problem={polled.error} retry={polled.refresh} /> : <Loading subject="the limits" />;
  if (!limits.length) {
    return (
      <Empty title="No step has a limit">
        <p>
          A limit says how often steps may begin, and how many may run at once: <code>@step(limits=[Limit("stripe", rate=100)])</code>.
        </p>
      </Empty>
    );
  }
  return (
    <div class="page limits-page">
      <h1>Limits</h1>
      {limits.map((limit) => (
        <LimitPanel key={limit.name} name={limit.name} whole={false} />
      ))}
    </div>
  );
}

export function LimitPage({ name }: { name: string }) {
  return (
    <div class="page limits-page">
      <p>
        <a href={href(["limits"])}>All limits</a>
      </p>
      <LimitPanel name={name} whole />
    </div>
  );
}
