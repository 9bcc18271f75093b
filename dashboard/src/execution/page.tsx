/** One execution: how it stands, what ran, what led to what, what went wrong, and what one can do about it. */

import { useMemo, useRef } from "preact/hooks";

import { historyOf } from "../api/client";
import { valuesWithheld } from "../api/key";
import type { Problem } from "../api/problem";
import type { ExecutionDetail, HistoryEvent } from "../api/types";
import { GraphView } from "../graph/view";
import { useChanges } from "../lib/changes";
import { present, useNow } from "../lib/now";
import { usePoll } from "../lib/poll";
import { go, href, place } from "../lib/router";
import { moment, seconds, secondsOrNull } from "../lib/time";
import { Loading, ProblemNote } from "../parts/note";
import { rowOf, wholeOf } from "../timeline/layout";
import { TimelineView } from "../timeline/view";
import { Details } from "./details";
import { again, earlierRun, type Held } from "./again";
import { FailureBox } from "./failure";
import { Header } from "./header";
import { HistoryTable } from "./history";
import { Notable } from "./notable";
import { NotTaken } from "./nottaken";
import { Tabs, type View } from "./tabs";
import { earlierTries, type ShownAttempt } from "./attempts";
import { Values } from "./values";
import { Waits } from "./waits";

const LIVE = 700;
const STILL = 5000;

export function ExecutionPage({ id }: { id: string }) {
  const wanted = useRef({ id, pages: 1, events: 1 });
  if (wanted.current.id !== id) wanted.current = { id, pages: 1, events: 1 };
  const run = Number(place.value.query.get("run")) || null;
  const told = useRef(false);
  const polled = usePoll<Held>(
    run === null ? id : `${id} run ${run}`,
    (signal, held) => (run === null ? again(id, held, signal, wanted.current.pages) : earlierRun(id, run, held, signal)),
    (held) => (held?.more ? 0 : held?.value.status === "RUNNING" && !told.current ? LIVE : STILL),
  );
  const execution = polled.value?.value;
  told.current = useChanges(id, run === null && execution?.status === "RUNNING", polled.refresh);
  const view = (place.value.query.get("view") ?? "timeline") as View;
  // Earlier generations are only in the history, which changes for good once an execution is resumed.
  const past = usePoll(
    execution && (execution.generation > 0 || view === "history") ? `history ${id} ${run ?? ""} ${execution.generation} ${execution.status} ${view}` : "",
    (signal) =>
      execution && (execution.generation > 0 || view === "history")
        ? historyOf(id, signal, execution.partial ? wanted.current.events : undefined, run ?? undefined)
        : Promise.resolve(NONE),
    () => (view === "history" && execution?.status === "RUNNING" ? 2 * LIVE : null),
  );
  const events = past.value?.events ?? NONE.events;
  const earlier = useMemo(() => earlierTries(events), [events]);
  const moreEvents = (): void => {
    wanted.current.events++;
    past.refresh();
  };
  if (!execution) return polled.error ? <Missing id={id} polled={polled} /> : <Loading subject="the execution" />;
  return (
    <div class="page execution-page">
      <ProblemNote problem={polled.error} retry={polled.refresh} />
      <Header execution={execution} refresh={polled.refresh} />
      {valuesWithheld.value && (
        <p class="note">
          This key may not read values: inputs, results, the texts of errors and what code shows of itself are left out.
        </p>
      )}
      {execution.error && <FailureBox error={execution.error} status={execution.status} />}
      {!execution.deployed && execution.status === "RUNNING" && (
        <p class="note bad">
          No code that is deployed here knows the workflow {execution.workflow}: the execution waits until it is deployed again.
        </p>
      )}
      {execution.begun === false && execution.status === "RUNNING" && (
        <p class="note">
          It has not begun:{" "}
          {execution.begins_at
            ? `it begins at ${moment(seconds(execution.begins_at), present())}.`
            : "it begins when those of its key that were started before have ended."}
        </p>
      )}
      {polled.value?.cut && (
        <p class="note bad">
          Its commands hold more than one answer of the API can carry, and are not shown: keep large values elsewhere and pass
          references.
        </p>
      )}
      <Waits execution={execution} pick={(command) => go(at(id, { view: view === "timeline" ? "" : view, command }), true)} />
      <NotTaken signals={execution.signals_not_taken ?? []} />
      {polled.value?.partial && !polled.value.more && (
        <Notable
          execution={execution}
          pick={(command) => go(at(id, { view: view === "timeline" ? "" : view, command }), true)}
          load={
            polled.value.left
              ? () => {
                  wanted.current.pages = (polled.value?.parts.length ?? 0) + 1;
                  polled.refresh();
                }
              : null
          }
        />
      )}
      <Tabs view={view} to={(other) => at(id, { view: other === "timeline" ? "" : other, command: picked() })} />
      <Content execution={execution} view={view} earlier={earlier} events={events} error={past.error} loaded={past.value !== null} more={polled.value?.more ?? false} moreEvents={past.value?.more ? moreEvents : null} refresh={polled.refresh} />
    </div>
  );
}

const NONE: { events: HistoryEvent[]; more: boolean } = { events: [], more: false };
/** When the run that is shown began. */
const beginning = (execution: ExecutionDetail): string => execution.began_at ?? execution.created_at;
const picked = (): string => place.value.query.get("command") ?? "";
const at = (id: string, query: Record<string, string>): string =>
  href(["executions", id], { ...query, run: place.value.query.get("run") ?? "" });

function Missing({ id, polled }: { id: string; polled: { error: Problem | null; refresh: () => void } }) {
  if (polled.error?.status === 404) {
    return (
      <div class="empty">
        <h1 class="title">There is no execution “{id}”</h1>
        <p>
          Its id may be mistyped, or it was removed. <a href={href(["executions"])}>See all executions</a>.
        </p>
      </div>
    );
  }
  return <ProblemNote problem={polled.error} retry={polled.refresh} />;
}

interface ContentProps {
  execution: ExecutionDetail;
  view: View;
  earlier: Map<string, ShownAttempt[]>;
  events: readonly HistoryEvent[];
  error: Problem | null;
  loaded: boolean;
  /** True while not all commands are loaded. */
  more: boolean;
  /** Loads the next page of a very long history; null where all is loaded. */
  moreEvents: (() => void) | null;
  refresh: () => void;
}

function Content({ execution, view, earlier, events, error, loaded, more, moreEvents, refresh }: ContentProps) {
  const chosen = execution.commands.find((command) => command.id === picked());
  const pick = (command: string): void =>
    go(at(execution.execution_id, { view: view === "timeline" ? "" : view, command: command === picked() ? "" : command }), true);
  if (view === "values") return <Values execution={execution} />;
  if (view === "history") {
    if (error) return <ProblemNote problem={error} />;
    return loaded ? <HistoryTable more={moreEvents} events={events} id={execution.execution_id} began={beginning(execution)} /> : <Loading subject="the history" />;
  }
  const close = (): void => {
    if (!chosen) return;
    pick(chosen.id);
    focusOn(chosen.id);
  };
  return (
    <div class={`split${chosen ? " open" : ""}`} onKeyDown={(event) => event.key === "Escape" && close()}>
      {view === "graph" ? (
        <GraphView commands={execution.commands} picked={picked()} pick={pick} />
      ) : (
        <LiveTimeline execution={execution} earlier={earlier} events={events} picked={picked()} pick={pick} more={more} />
      )}
      {chosen && (
        <Details key={chosen.id} command={chosen} earlier={earlier} execution={execution} close={close} refresh={refresh} />
      )}
    </div>
  );
}

/** Whoever closes the details with the keyboard goes on at the command that was open. */
const focusOn = (id: string): void => document.querySelector<HTMLElement>(`button[data-id="${CSS.escape(id)}"]`)?.focus();

interface LiveProps {
  execution: ExecutionDetail;
  earlier: Map<string, ShownAttempt[]>;
  events: readonly HistoryEvent[];
  picked: string;
  pick: (id: string) => void;
  more: boolean;
}

/** The timeline grows with the present while the execution runs; its rows change only with what the API tells. */
function LiveTimeline({ execution, earlier, events, picked, pick, more }: LiveProps) {
  const live = execution.status === "RUNNING";
  const ticking = useNow(live ? 250 : null);
  const rows = useMemo(() => execution.commands.map((command) => rowOf(command, earlier)), [execution, earlier]);
  const recorded = useMemo(() => wholeOf(rows, seconds(beginning(execution)), 0), [rows]);
  // The server's clock may be ahead of this one: nothing that is recorded lies in the future.
  const now = Math.max(live ? ticking : (secondsOrNull(execution.ended_at) ?? ticking), recorded.to);
  const resumes = useMemo(
    () => events.filter((event) => event.type === "execution-resumed").map((event) => seconds(event.at)),
    [events],
  );
  const whole = { from: recorded.from, to: now };
  return <TimelineView {...{ rows, whole, now, live, resumes, picked, pick, more }} total={execution.total ?? rows.length} />;
}
