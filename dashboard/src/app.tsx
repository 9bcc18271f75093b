/** The frame around every page: where one can go, and which page this is. */

import { useEffect, useErrorBoundary, useRef } from "preact/hooks";

import { forgetKey, key, keyRefused } from "./api/key";
import { signOn } from "./api/signon";
import { AuditPage } from "./audit/page";
import { ComparePage } from "./compare/page";
import { DeadLettersPage } from "./deadletters/page";
import { ExecutionPage } from "./execution/page";
import { ExecutionsPage } from "./executions/page";
import { JobPage } from "./jobs/job";
import { JobsPage } from "./jobs/page";
import { href, place, type Place } from "./lib/router";
import { nextTheme, theme } from "./lib/theme";
import { otherZone, utc } from "./lib/time";
import { LimitPage, LimitsPage } from "./limits/page";
import { KeyPage } from "./parts/key";
import { Empty, problemFrom, ProblemNote } from "./parts/note";
import { SessionEnded, SignInPage, SignOutButton } from "./parts/signin";
import { SchedulesPage } from "./schedules/page";
import { StartPage } from "./start/page";
import { WorkflowPage } from "./workflows/workflow";
import { WorkflowsPage } from "./workflows/page";

const PAGES: readonly [path: string, name: string][] = [
  ["executions", "Executions"],
  ["dead-letters", "Dead letters"],
  ["jobs", "Jobs"],
  ["workflows", "Workflows"],
  ["limits", "Limits"],
  ["schedules", "Schedules"],
  ["audit", "Audit"],
  ["start", "Start"],
];

export function App() {
  const here = place.value;
  const main = useRef<HTMLElement>(null);
  const address = here.path.join("/") || "executions";
  const seen = useRef(address);
  useEffect(() => {
    const name = PAGES.find(([path]) => path === here.path[0])?.[1] ?? "Executions";
    document.title = here.path[1] ? `${here.path[1]} · stepfast` : `${name} · stepfast`;
    // To a screen reader a new page begins at its start, not where the last link was.
    if (seen.current !== address) main.current?.focus();
    seen.current = address;
  }, [address]);
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), main.current?.focus())}>
        Skip to the content
      </a>
      <header class="top">
        <a class="brand" href={href(["executions"])}>
          stepfast
        </a>
        <nav aria-label="Pages">
          {PAGES.map(([path, name]) => (
            <a key={path} href={href([path])} aria-current={address.split("/")[0] === path ? "page" : undefined}>
              {name}
            </a>
          ))}
        </nav>
        <Settings />
      </header>
      <SessionEnded />
      <main ref={main} id="main" tabIndex={-1}>
        {keyRefused.value ? signOn ? <SignInPage /> : <KeyPage /> : <Page place={here} key={key.value} />}
      </main>
    </>
  );
}

function Page({ place: { path } }: { place: Place }) {
  const [error, again] = useErrorBoundary();
  if (error) return <ProblemNote problem={problemFrom(error)} retry={again} />;
  return <Chosen path={path} />;
}

function Chosen({ path }: { path: readonly string[] }) {
  const [page = "executions", id] = path;
  if (page === "executions") return id ? <ExecutionPage id={id} key={id} /> : <ExecutionsPage />;
  if (page === "dead-letters") return <DeadLettersPage />;
  if (page === "jobs") return id ? <JobPage id={id} key={id} /> : <JobsPage />;
  if (page === "workflows") return id ? <WorkflowPage name={id} key={id} /> : <WorkflowsPage />;
  if (page === "limits") return id ? <LimitPage name={id} key={id} /> : <LimitsPage />;
  if (page === "schedules") return <SchedulesPage />;
  if (page === "audit") return <AuditPage />;
  if (page === "compare" && id) return <ComparePage id={id} key={id} />;
  if (page === "start") return <StartPage workflow={id ?? ""} />;
  return (
    <Empty title="There is no such page">
      <p>
        Go on to <a href={href(["executions"])}>the executions</a>.
      </p>
    </Empty>
  );
}

function Settings() {
  return (
    <div class="settings">
      <button type="button" class="quiet" onClick={otherZone} title="Which zone times are shown in">
        Times: {utc.value ? "UTC" : "Local"}
      </button>
      <button type="button" class="quiet" onClick={nextTheme} title="Light, dark, or as the system is">
        Theme: {{ auto: "Auto", light: "Light", dark: "Dark" }[theme.value]}
      </button>
      <SignOutButton />
      {key.value && (
        <button
          type="button"
          class="quiet"
          onClick={() => {
            forgetKey();
            keyRefused.value = true;
          }}
        >
          Forget key
        </button>
      )}
    </div>
  );
}
