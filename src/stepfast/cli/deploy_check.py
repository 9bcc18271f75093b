"""`stepfast verify` on a deployment: what a deployment of the code at hand would do to the executions in it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import typer

from stepfast.cli import printing
from stepfast.cli.recorded_sources import RecordedSource
from stepfast.client import NotAllowed, Unreachable
from stepfast.engine.forecast import DeployCheck, Forecast
from stepfast.engine.listing import fits
from stepfast.engine.ports import Query
from stepfast.errors import ExecutionNotFound, StepfastError
from stepfast.language.registry import discover
from stepfast.model import ExecutionStatus, Snapshot

GOES_ON: tuple[ExecutionStatus, ...] = ("RUNNING", "PAUSED", "FAILED")
"""What the code of a deployment may still touch: the statuses that are looked at by default."""
READERS = 8
"""Executions that are read at the same time, and are in memory at most."""
EXAMPLES = 5
"""Ids that are named of each reason for which executions cannot be judged."""
PROGRESS = 25


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What is to be checked. sample: a share of the executions, the same one each time. strict: exit 2, see `ended`."""

    workflows: Path
    ids: Sequence[str] = ()
    statuses: Sequence[ExecutionStatus] = GOES_ON
    workflow: str | None = None
    since: float | None = None
    limit: int | None = None
    sample: float = 1.0
    strict: bool = False
    as_json: bool = False


@dataclass(slots=True)
class Report:
    """What was found. It holds no execution, and of what is unclear a few ids for each reason."""

    looked_at: int = 0
    fixed: list[Forecast] = field(default_factory=list)
    broken: list[Forecast] = field(default_factory=list)
    noted: list[Forecast] = field(default_factory=list)
    unclear: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    patches: dict[str, tuple[int, int]] = field(default_factory=dict)  # on the new way, on the old one
    open_questions: int = 0  # executions under way that could not be judged


def check(source: RecordedSource, asked: CheckRequest) -> Report:
    """Reads each execution once and replays it. Prints each execution that breaks at once."""
    check = DeployCheck(discover(asked.workflows))
    report = Report()
    with ThreadPoolExecutor(READERS, "stepfast-verify") as readers:
        ids = _chosen(source, asked)
        while batch := list(islice(ids, READERS)):
            for execution_id, read in zip(batch, readers.map(lambda id: _read(source, id), batch), strict=True):
                if isinstance(read, Snapshot):
                    if not asked.ids and not _is_wanted(asked, read):
                        continue  # It has gone on since it was listed.
                    forecast = check.judge(read)
                elif isinstance(read, ExecutionNotFound):
                    if asked.ids:
                        raise read
                    continue  # It was deleted since it was listed.
                else:
                    forecast = check.unreadable(execution_id, str(read))
                report.looked_at += 1
                if forecast is not None:
                    _add(report, forecast, asked)
                _progress(report, asked)
    for forecast in check.rest():
        _add(report, forecast, asked)
    _progress(report, asked, last=True)
    report.counts = {name: check.counts[name] for name in ("unchanged", "fixes", "breaks", "unclear", "retired")}
    report.patches = {patch: (answers[True], answers[False]) for patch, answers in sorted(check.patches.items())}
    return report


def _chosen(source: RecordedSource, asked: CheckRequest) -> Iterator[str]:
    """The ids to read, each once."""
    if asked.ids:
        yield from dict.fromkeys(asked.ids)
        return
    seen: set[str] = set()
    for status in asked.statuses:
        for execution_id in source.ids(Query(asked.workflow, status, since=asked.since, limit=200, values=False)):
            if asked.limit is not None and len(seen) >= asked.limit:
                return
            if execution_id not in seen and _share(execution_id) < asked.sample:
                seen.add(execution_id)
                yield execution_id


def _share(execution_id: str) -> float:
    """A number from 0 to 1 that is always the same for an execution, so that a sample can be repeated."""
    return int(hashlib.sha256(execution_id.encode()).hexdigest()[:12], 16) / 16**12


def _read(source: RecordedSource, execution_id: str) -> Snapshot | StepfastError:
    try:
        return source.load(execution_id)
    except (Unreachable, NotAllowed):
        raise  # the others would fare no better
    except StepfastError as error:
        return error


def _is_wanted(asked: CheckRequest, snapshot: Snapshot) -> bool:
    execution = snapshot.execution
    return execution.status in asked.statuses and fits(Query(asked.workflow, since=asked.since), execution)


def _add(report: Report, forecast: Forecast, asked: CheckRequest) -> None:
    if forecast.notes:
        report.noted.append(forecast)
    match forecast.judgement:
        case "fixes":
            report.fixed.append(forecast)
        case "breaks":
            report.broken.append(forecast)
            if not asked.as_json:
                _clear_progress()
                printing.say(f"{forecast.execution_id}  {forecast.workflow}  {forecast.status}: {forecast.reason}")
        case "unclear":
            report.unclear.setdefault(forecast.reason, []).append(forecast.execution_id)
            report.open_questions += forecast.under_way or forecast.status == "?"


def _progress(report: Report, asked: CheckRequest, last: bool = False) -> None:
    """Says on a terminal how far it has come."""
    if asked.as_json or not sys.stderr.isatty() or (not last and report.looked_at % PROGRESS):
        return
    if last:
        _clear_progress()
        return
    sys.stderr.write(f"\r{report.looked_at:,} executions looked at, {len(report.broken):,} break")
    sys.stderr.flush()


def _clear_progress() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[2K")
        sys.stderr.flush()


def show(report: Report, asked: CheckRequest) -> None:
    """Prints what was found, and raises typer.Exit with 1 where something breaks, with 2 where `strict` asks for it."""
    if asked.as_json:
        printing.print_json(_as_json(report))
    else:
        for reason, ids in report.unclear.items():
            more = f" and {len(ids) - EXAMPLES:,} more" if len(ids) > EXAMPLES else ""
            printing.say(f"cannot judge {len(ids):,}: {reason}: {', '.join(ids[:EXAMPLES])}{more}")
        for forecast in report.noted[:EXAMPLES]:
            printing.say(f"note: {forecast.execution_id}  {forecast.workflow}: {'; '.join(forecast.notes)}")
        if len(report.noted) > EXAMPLES:
            printing.say(f"note: {len(report.noted) - EXAMPLES:,} more have sleeps that count as waited")
        for patch, (new, old) in report.patches.items():
            printing.say(f"patch {patch}: {new:,} on the new way, {old:,} on the old one")
        printing.say(_summary(report))
    if report.broken:
        raise typer.Exit(1)
    if asked.strict and report.open_questions:
        raise typer.Exit(2)


def _summary(report: Report) -> str:
    letters = sum(not forecast.child for forecast in report.fixed)
    parts = [f"fixes {letters:,} dead letter{'' if letters == 1 else 's'}"]
    if len(report.fixed) > letters:
        parts[0] += f" and {len(report.fixed) - letters:,} of their children"
    by_status: dict[str, int] = {}
    for forecast in report.broken:
        by_status[forecast.status] = by_status.get(forecast.status, 0) + 1
    broken = [f"{count:,} {status.lower()}" for status, count in by_status.items()]
    parts.append(f"breaks {', '.join(broken) if broken else 'none'}")
    if report.counts["unclear"]:
        parts.append(f"cannot judge {report.counts['unclear']:,}")
    executions = f"{report.looked_at:,} execution{'' if report.looked_at == 1 else 's'}"
    left = report.counts["unchanged"] + report.counts["retired"]
    return f"{executions}: {', '.join(parts)}; leaves {left:,} as they are"


def _as_json(report: Report) -> dict[str, object]:
    return {
        "executions": report.looked_at,
        **report.counts,
        "dead_letters_fixed": sum(not forecast.child for forecast in report.fixed),
        "broken": [{**_view(forecast), "problem": forecast.reason} for forecast in report.broken],
        "fixed": [_view(forecast) for forecast in report.fixed],
        "cannot_judge": [
            {"reason": reason, "count": len(ids), "execution_ids": ids} for reason, ids in report.unclear.items()
        ],
        "patches": {patch: {"new": new, "old": old} for patch, (new, old) in report.patches.items()},
        "notes": [{**_view(forecast), "timers": [*forecast.notes]} for forecast in report.noted],
    }


def _view(forecast: Forecast) -> dict[str, object]:
    return {
        "execution_id": forecast.execution_id,
        "workflow": forecast.workflow,
        "status": forecast.status,
        "child": forecast.child,
    }
