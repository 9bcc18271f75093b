"""`stepfast dead-letters list`, `groups` and `replay`."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer
from rich.table import Table

from stepfast.cli import completion, jobs, printing, timeline
from stepfast.cli.filters import OfWorkflow
from stepfast.cli.session import OUTAGE_SECONDS, AsJson, session
from stepfast.errors import InvalidRequest, Refused

app = typer.Typer(
    help="Failed executions: list them, resume many at once.", no_args_is_help=True, rich_markup_mode=None
)

REPLAY_RATE = 1000.0
"""The highest rate of a job, per second: that of a replay without --rate."""
OfStep = Annotated[str | None, typer.Option(help="Only of this step; '' for the workflow's own code.")]
WithError = Annotated[
    str | None, typer.Option(help="Only with this type of error, such as ConnectionError or billing.Declined.")
]


@app.command("list")
def list_dead_letters(
    context: typer.Context,
    workflow: OfWorkflow = None,
    step: OfStep = None,
    error: WithError = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    cursor: Annotated[str | None, typer.Option(help="The next page, as the last one named it.")] = None,
    as_json: AsJson = False,
) -> None:
    """List FAILED executions, newest first."""
    with session(context).client() as client:
        page = client.dead_letters(workflow, error, limit, cursor, step)
    if as_json:
        return printing.print_json(page)
    rows = []
    for letter in page["dead_letters"]:
        problem = letter["error"] or {"type": "", "message": ""}
        names = (printing.styled(text or "") for text in (letter["execution_id"], letter["workflow"], letter["step"]))
        failure = printing.styled(timeline.error_text({**problem, "step": None}), "red")
        rows.append((*names, printing.styled(timeline.clock(letter["ended_at"])), failure))
    if page["dead_letters"]:
        printing.show_rows(("execution", "workflow", "failed step", "failed (UTC)", "error"), rows)
    elif not page["next"]:
        printing.say("no dead letters")
    if page["next"]:
        printing.hint(f"more: --cursor {page['next']}")
    return None


@app.command()
def groups(context: typer.Context, workflow: OfWorkflow = None, as_json: AsJson = False) -> None:
    """Count FAILED executions by workflow, step and error, the most first."""
    with session(context).client() as client:
        answer = client.dead_letter_groups(workflow)
    if as_json:
        return printing.print_json(answer)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("count", "workflow", "failed step", "error", "resumed before", "newest", "started (UTC)"):
        right = name in ("count", "resumed before")
        table.add_column(name, overflow="fold", justify="right" if right else "left", no_wrap=name == "started (UTC)")
    names = Counter((group["workflow"], group["step"], group["error"]) for group in answer["groups"])
    for group in answer["groups"]:
        alike = names[group["workflow"], group["step"], group["error"]] > 1
        kind = (alike and group.get("error_class")) or group["error"]
        texts = (printing.styled(group[name] or "") for name in ("workflow", "step"))
        error, newest = printing.styled(kind or "", "red"), printing.styled(group["execution_id"])
        table.add_row(str(group["count"]), *texts, error, str(group["again"]), newest, timeline.clock(group["newest"]))
    if answer["groups"]:
        printing.show(table)
    else:
        printing.say("no dead letters")
    if not answer["complete"]:
        printing.complain("there are more failed executions than were looked at: the counts are too low")
    return None


@app.command()
def replay(
    context: typer.Context,
    execution_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", autocompletion=completion.failed_ids)
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Every failed execution.")] = False,
    workflow: OfWorkflow = None,
    step: OfStep = None,
    error: WithError = None,
    rate: Annotated[float | None, typer.Option(help="At most so many per second.")] = None,
    as_json: AsJson = False,
) -> None:
    """Resume failed executions: some by id, those that match, or all; exits 2 when one was refused."""
    alike = any(criterion is not None for criterion in (workflow, step, error))
    if sum((bool(execution_ids), alike, all)) != 1:
        raise InvalidRequest("name the executions: IDs, or any of --workflow, --step and --error, or --all")
    if rate is not None and not 0 < rate <= REPLAY_RATE:
        raise InvalidRequest("--rate must be above 0 and at most 1000 per second")

    with session(context).client() as once:
        once.health()
    answer = dict[str, Any](resumed=0, results=[])
    with session(context).client(OUTAGE_SECONDS) as client:
        job = client.start_job(
            "resume",
            execution_ids or None,
            workflow=workflow,
            step=step,
            error=error,
            all=all,
            rate=rate or REPLAY_RATE,
        )
        try:
            for outcome in job.report(follow=True):
                _add(answer, outcome, as_json)
            _check_end(job.wait())
        except KeyboardInterrupt:
            jobs.left_running(job)
            raise
    if as_json:
        printing.print_json(answer)
    elif not answer["results"]:
        printing.say("no dead letters")
    unmoved = sum(result.get("notice") is not None for result in answer["results"])
    if unmoved:
        printing.complain(
            f"{unmoved} of them: no failed step stood behind the failure, the code at hand runs again; "
            "to run a step again, name it: stepfast resume ID --step COMMAND"
        )
    if any(not result["resumed"] for result in answer["results"]):
        raise typer.Exit(2)


def _add(answer: dict[str, Any], outcome: dict[str, Any], as_json: bool) -> None:
    resumed, reason = outcome["outcome"] == "done", outcome["reason"]
    result = {"execution_id": outcome["execution_id"], "resumed": resumed}
    answer["results"].append({**result, "refused": None if resumed else reason, "notice": reason if resumed else None})
    answer["resumed"] += resumed
    if not resumed:
        printing.complain(reason)
    elif not as_json:
        printing.say(f"resumed {outcome['execution_id']}")


def _check_end(state: dict[str, Any]) -> None:
    """Refused where the job has ended before it has seen to all."""
    if state["status"] != "SUCCEEDED":
        raise Refused(f"job {state['job_id']}, which resumes them, is {state['status']}: stepfast jobs show it")
