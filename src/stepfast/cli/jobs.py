"""`stepfast jobs start`, `list`, `show` and `stop`: one action on many executions, carried out by the server."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from stepfast.cli import printing
from stepfast.cli.filters import OfLabels, OfPrefix, OfStatus, OfWorkflow, Since, Until
from stepfast.cli.session import OUTAGE_SECONDS, AsJson, session
from stepfast.cli.timeline import Object, clock
from stepfast.client.job_calls import UNDER_WAY, BulkJob
from stepfast.errors import InvalidRequest

app = typer.Typer(
    help="Bulk jobs: resume, cancel, terminate, pause, unpause, close, reopen, delete or fork many executions.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Id = Annotated[str, typer.Argument(metavar="JOB", help="The job.")]
SHOWN_REASONS = 20
"""Executions that were skipped which `show` lists; --json has all."""


@app.command("start")
def start(
    context: typer.Context,
    action: Annotated[str, typer.Argument(metavar="ACTION", help="resume, cancel, terminate, pause, unpause, …")],
    execution_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    all: Annotated[bool, typer.Option("--all", help="All that the action can be done to.")] = False,
    workflow: OfWorkflow = None,
    status: OfStatus = None,
    prefix: OfPrefix = None,
    label: OfLabels = None,
    step: Annotated[str | None, typer.Option(help="Only where this step failed; empty: the workflow's code.")] = None,
    error: Annotated[str | None, typer.Option(help="Only with this type or class of error.")] = None,
    since: Since = None,
    until: Until = None,
    children: Annotated[bool, typer.Option("--children", help="Children of other executions, too.")] = False,
    rate: Annotated[float | None, typer.Option(help="At most so many per second; 50 if left out.")] = None,
    why: Annotated[str | None, typer.Option(help="For the history of each execution.")] = None,
    id: Annotated[str | None, typer.Option(help="The job's id: the same job is started once.")] = None,
    cleanup_seconds: Annotated[float | None, typer.Option(help="Of cancel: how long the code may clean up.")] = None,
    before: Annotated[str | None, typer.Option(help="Of fork: the command that runs anew; else the failure.")] = None,
    copy_children: Annotated[bool, typer.Option("--copy-children", help="Of fork: copy children as well.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end; exits 2 if some were left.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start a job on executions by id, on those that match, or on all; the server goes on with it by itself."""
    options: dict[str, Any] = {} if cleanup_seconds is None else {"cleanup_seconds": cleanup_seconds}
    options |= {} if before is None else {"before": before}
    options |= {"children": "copy"} if copy_children else {}
    with session(context).client(OUTAGE_SECONDS if wait else 0.0) as client:
        job = client.start_job(
            action,
            execution_ids or None,
            workflow=workflow,
            status=status,
            labels=_labels(label or []),
            prefix=prefix,
            step=step,
            error=error,
            since=since,
            until=until,
            roots=not children,
            all=all,
            rate=rate,
            why=why,
            job_id=id,
            **options,
        )
        state = follow(job) if wait else job.progress()
    if as_json:
        printing.print_json(state)
    else:
        printing.say(_line(state))
        if state["status"] in UNDER_WAY:
            printing.say(f"it goes on in the server: stepfast jobs show {job.job_id}")
    if wait and (state["skipped"] or state["failed"] or state["status"] != "SUCCEEDED"):
        raise typer.Exit(2)


@app.command("list")
def list_jobs(
    context: typer.Context, limit: Annotated[int, typer.Option(min=1, max=100)] = 20, as_json: AsJson = False
) -> None:
    """List the latest jobs."""
    jobs, cursor = list[Object](), None
    with session(context).client() as client:
        while len(jobs) < limit:
            page = client.jobs(limit - len(jobs), cursor)  # perhaps an empty page, and yet there are others behind it
            jobs += page["jobs"]
            if (cursor := page["next"]) is None:
                break
    if as_json:
        return printing.print_json({"jobs": jobs, "next": cursor})
    if not jobs:
        return printing.say("no jobs")
    headers = ("job", "action", "status", "done", "skipped", "failed", "started (UTC)", "by", "why")
    rows = [
        [
            *(job["job_id"], job["action"], job["status"]),
            *(str(job[name]) for name in ("done", "skipped", "failed")),
            *(clock(job["started_at"]), job.get("by") or "", job.get("why") or ""),
        ]
        for job in jobs
    ]
    return printing.show_rows(headers, [list(map(printing.shown, row)) for row in rows])


@app.command("show")
def show(context: typer.Context, job_id: Id, as_json: AsJson = False) -> None:
    """Show how a job stands, and what it has skipped and why."""
    with session(context).client() as client:
        job = client.job(job_id)
        state = job.progress()
        if as_json:
            outcomes = [each for each in job.report() if each["outcome"] != "done" or each["reason"]]
            return printing.print_json({**state, "report": outcomes})
        printing.say(_line(state))
        if state.get("error"):
            printing.complain(state["error"])
        left = state["skipped"] + state["failed"]
        shown = 0
        for each in job.report() if left else ():
            if each["outcome"] != "done":
                printing.say(f"{each['execution_id']}  {each['outcome'].replace('_', ' ')}: {each['reason']}")
                shown += 1
                if shown == SHOWN_REASONS < left:
                    printing.say(f"… and {left - shown:,} more: stepfast jobs show {job_id} --json")
                    break
    return None


@app.command("stop")
def stop(
    context: typer.Context,
    job_id: Id,
    why: Annotated[str | None, typer.Option(help="For those who look at it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Stop a job: within seconds it does nothing more, and what it has done stays done."""
    with session(context).client() as client:
        state = client.job(job_id).stop(why)
    if as_json:
        return printing.print_json(state)
    return printing.say(_line(state))


def follow(job: BulkJob) -> Object:
    """Waits for the end of a job. Ctrl-C leaves it running, and says so."""
    try:
        return job.wait()
    except KeyboardInterrupt:
        left_running(job)
        raise


def left_running(job: BulkJob) -> None:
    """Says that a job goes on without its watcher."""
    printing.complain(f"job {job.job_id} goes on in the server; stop it with `stepfast jobs stop {job.job_id}`")


def _line(state: Object) -> str:
    of = f" of {state['total']:,}" if state["total"] is not None else ""
    counts = f"{state['done']:,}{of} done, {state['skipped']:,} skipped, {state['failed']:,} failed"
    return f"job {state['job_id']}: {state['action']}, {state['status']}, {counts}"


def _labels(texts: list[str]) -> dict[str, str] | None:
    labels = dict[str, str]()
    for text in texts:
        key, separator, value = text.partition("=")
        if not key or not separator:
            raise InvalidRequest(f"--label is key=value, not {text!r}")
        labels[key] = value
    return labels or None
