"""`stepfast verify`: whether the code in the folder reproduces what executions have recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from stepfast.cli import printing
from stepfast.cli.filters import OfWorkflow, Since
from stepfast.cli.session import OUTAGE_SECONDS, AsJson, session
from stepfast.errors import ExecutionNotFound, InvalidRequest
from stepfast.model import ExecutionStatus

if TYPE_CHECKING:
    from stepfast.engine.verify import Verdict
    from stepfast.local.encryption import FileReader
    from stepfast.model import Snapshot

EXECUTIONS_PER_READ = 200
STATUSES: tuple[ExecutionStatus, ...] = get_args(ExecutionStatus)


def verify(
    context: typer.Context,
    execution_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    all: Annotated[bool, typer.Option("--all", help="Every execution, whatever its status.")] = False,
    status: Annotated[
        list[str] | None, typer.Option(help="Only executions of this status; of a deployment it may be repeated.")
    ] = None,
    workflows: Annotated[Path, typer.Option(help="The folder of the code to check.")] = Path("workflows"),
    db: Annotated[Path, typer.Option(help="The file that holds the executions.")] = Path(".stepfast/dev.db"),
    table: Annotated[
        str | None, typer.Option("--table", help="Read the table of a deployment, with AWS credentials.")
    ] = None,
    bucket: Annotated[
        str | None,
        typer.Option(help="With --table: the bucket of large values, as the stack says; else STEPFAST_BUCKET."),
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="With --table: by default where AWS_REGION or your profile says.")
    ] = None,
    workflow: OfWorkflow = None,
    since: Since = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Of a deployment: look at so many, the newest first.")
    ] = None,
    sample: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Of a deployment: look at this share, the same one each time.")
    ] = 1.0,
    strict: Annotated[
        bool, typer.Option("--strict", help="Of a deployment: exit with 2 if one under way cannot be judged.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Replay recorded executions with the code in the folder: exits 1 when it does not reproduce one.

    Without --url or --table the executions are those of a file. It only reads, also while `stepfast dev` runs on the
    file. With --url or --table they are those of a deployment, where nothing is changed: those that are RUNNING, PAUSED
    or FAILED, unless --all, --status or ids say otherwise. It says which FAILED ones the code fixes, which executions
    it breaks, and which it cannot judge. Exit status: 0 nothing breaks, 1 something breaks, 2 it could not be checked.
    """
    remote = context.find_root().get_parameter_source("url")
    from_url = remote is not None and remote.name == "COMMANDLINE"
    if table is not None or from_url:
        if table is not None and from_url:
            raise InvalidRequest("--url and --table are two ways to the same executions: give one of them")
        return _deployment(
            context, execution_ids or [], all, status or [], workflows, table, bucket, region, workflow, since, limit,
            sample, strict, as_json,
        )  # fmt: skip
    if (bucket, region, workflow, since, limit, sample, strict) != (None, None, None, None, None, 1.0, False):
        raise InvalidRequest(
            "--bucket, --region, --workflow, --since, --limit, --sample and --strict are about a deployment: "
            "add --url or --table"
        )
    if len(status or []) > 1:
        raise InvalidRequest("of a file, --status is given once")
    return _file(execution_ids, all, status[0] if status else None, workflows, db, as_json)


def _deployment(
    context: typer.Context,
    ids: list[str],
    all: bool,
    status: list[str],
    workflows: Path,
    table: str | None,
    bucket: str | None,
    region: str | None,
    workflow: str | None,
    since: str | None,
    limit: int | None,
    sample: float,
    strict: bool,
    as_json: bool,
) -> None:
    from stepfast.cli import deploy_check
    from stepfast.cli.recorded_sources import ApiSource, RecordedSource, of_table
    from stepfast.http.moments import moment

    if ids and (all or status or workflow or since or limit or sample != 1.0):
        raise InvalidRequest("name executions by their ids, or choose them by options: not both")
    if all and status:
        raise InvalidRequest("--all takes every status: leave --status out")
    statuses = STATUSES if all else tuple(map(_known_status, status)) or deploy_check.GOES_ON
    asked = deploy_check.CheckRequest(
        workflows, ids, statuses, workflow, moment("since", since), limit, sample, strict, as_json
    )
    source: RecordedSource = (
        ApiSource(session(context).client(OUTAGE_SECONDS)) if table is None else of_table(table, bucket, region)
    )
    try:
        report = deploy_check.check(source, asked)
    finally:
        source.close()
    deploy_check.show(report, asked)


def _file(
    execution_ids: list[str] | None, all: bool, status: str | None, workflows: Path, db: Path, as_json: bool
) -> None:
    # Imported here, so that other commands do not pay for importing the engine.
    import asyncio

    from stepfast.engine.verify import verify as verdict_on
    from stepfast.language.registry import discover

    if bool(execution_ids) == all:
        raise InvalidRequest("name the executions: IDs, or --all")
    wanted = _status(status, all)
    counts = dict.fromkeys(("reproduced", "mended", "retired", "differs"), 0)
    problems: list[Verdict] = []
    early: list[Verdict] = []

    async def check() -> None:
        registry = discover(workflows)
        async for snapshot in _snapshots(db, execution_ids or [], wanted):
            verdict = verdict_on(registry, snapshot)
            counts[verdict.outcome] += 1
            if verdict.early:
                early.append(verdict)
                if not as_json:
                    printing.say(_line(verdict, f"note: {'; '.join(verdict.early)}"))
            if verdict.problem is not None:
                problems.append(verdict)
                if not as_json:
                    printing.say(_line(verdict, verdict.problem))

    asyncio.run(check())
    if as_json:
        printing.print_json(
            {
                "executions": sum(counts.values()),
                **counts,
                "problems": [_view(verdict) | {"problem": verdict.problem} for verdict in problems],
                "notes": [_view(verdict) | {"timers": [*verdict.early]} for verdict in early],
            }
        )
    else:
        parts = [f"{counts['reproduced']} reproduced"]
        parts += [f"{counts['mended']} failed and will no longer: resume them"] if counts["mended"] else []
        parts += [f"{counts['retired']} of workflows that are gone"] if counts["retired"] else []
        parts += [f"{counts['differs']} not reproduced"] if problems else []
        total = sum(counts.values())
        printing.say(f"{total} execution{'' if total == 1 else 's'}: {', '.join(parts)}")
    if problems:
        raise typer.Exit(1)


def _status(status: str | None, all: bool) -> ExecutionStatus | None:
    if status is None:
        return None
    if not all:
        raise InvalidRequest("--status needs --all")
    return _known_status(status)


def _known_status(status: str) -> ExecutionStatus:
    known = next((name for name in STATUSES if name == status.upper()), None)
    if known is None:
        raise InvalidRequest(f"--status must be one of {', '.join(STATUSES)}, not {status}")
    return known


async def _snapshots(db: Path, ids: list[str], status: ExecutionStatus | None) -> AsyncIterator[Snapshot]:
    from stepfast.local.encryption import FileReader

    store = FileReader(db)
    try:
        async for execution_id in _ids(store, ids, status):
            snapshot = await store.load(execution_id)
            if snapshot is None:
                raise ExecutionNotFound(f"no execution has the id {execution_id!r}")
            yield snapshot
    finally:
        store.close()


async def _ids(store: FileReader, ids: list[str], status: ExecutionStatus | None) -> AsyncIterator[str]:
    from stepfast.engine.ports import Query

    for execution_id in ids:
        yield execution_id
    cursor = None
    while not ids:
        page = await store.page(Query(status=status, limit=EXECUTIONS_PER_READ, cursor=cursor))
        for execution in page.executions:
            yield execution.execution_id
        cursor = page.next
        if cursor is None:
            return


def _line(verdict: Verdict, text: str) -> str:
    execution = verdict.execution
    return f"{execution.execution_id}  {execution.workflow}  {execution.status}: {text}"


def _view(verdict: Verdict) -> dict[str, object]:
    execution = verdict.execution
    return {
        "execution_id": execution.execution_id,
        "workflow": execution.workflow,
        "status": execution.status,
    }
