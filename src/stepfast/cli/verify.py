"""`stepfast verify`: whether the code in the folder reproduces what executions have recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from stepfast.cli import printing
from stepfast.cli.session import AsJson
from stepfast.errors import ExecutionNotFound, InvalidRequest
from stepfast.model import ExecutionStatus

if TYPE_CHECKING:
    from stepfast.engine.ports import Store
    from stepfast.engine.verify import Verdict
    from stepfast.model import Snapshot

EXECUTIONS_PER_READ = 200
STATUSES: tuple[ExecutionStatus, ...] = get_args(ExecutionStatus)


def verify(
    execution_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    all: Annotated[bool, typer.Option("--all", help="Every execution in the file.")] = False,
    status: Annotated[str | None, typer.Option(help="With --all: only executions of this status.")] = None,
    workflows: Annotated[Path, typer.Option(help="The folder of the code to check.")] = Path("workflows"),
    db: Annotated[Path, typer.Option(help="The file that holds the executions.")] = Path(".stepfast/dev.db"),
    as_json: AsJson = False,
) -> None:
    """Replay recorded executions with the code in the folder: exits 1 when it does not reproduce one.

    Only reads the file, also while `stepfast dev` runs on it: check changed code before you deploy it.
    """
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
    known = next((name for name in STATUSES if name == status.upper()), None)
    if known is None:
        raise InvalidRequest(f"--status must be one of {', '.join(STATUSES)}, not {status}")
    return known


async def _snapshots(db: Path, ids: list[str], status: ExecutionStatus | None) -> AsyncIterator[Snapshot]:
    from stepfast.backends.sqlite.read_only import ReadOnlyFile
    from stepfast.backends.sqlite.store import SqliteBackend
    from stepfast.local.runtime import SystemClock

    store = SqliteBackend(ReadOnlyFile(db), SystemClock())
    try:
        async for execution_id in _ids(store, ids, status):
            snapshot = await store.load(execution_id)
            if snapshot is None:
                raise ExecutionNotFound(f"no execution has the id {execution_id!r}")
            yield snapshot
    finally:
        store.close()


async def _ids(store: Store, ids: list[str], status: ExecutionStatus | None) -> AsyncIterator[str]:
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
