"""Which executions a page takes, and failed ones in groups. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stepfast.engine.ports import Fault, Query
from stepfast.language.job_workflow import JOB_WORKFLOW
from stepfast.model import Execution
from stepfast.records import dataclass
from stepfast.restriction import is_among


@dataclass(frozen=True, slots=True)
class FaultGroup:
    """FAILED executions of one workflow whose failures look alike: of the same step and class of error.

    again: how many of them had been resumed before. newest, execution_id: of the one that was started last.
    """

    workflow: str
    step: str | None
    error: str | None
    count: int
    again: int
    newest: float
    execution_id: str
    error_class: str | None = None


def fits(query: Query, execution: Execution) -> bool:
    """True for what the query's filters take, whatever its prefix and cursor."""
    return (
        query.workflow in (None, execution.workflow)
        and is_among(execution.workflow, query.patterns)
        and query.status in (None, execution.status)
        and query.labels.items() <= execution.labels.items()
        and (query.since is None or execution.created_at >= query.since)
        and (query.until is None or execution.created_at < query.until)
        and not (query.roots and execution.is_child)
        and query.jobs in (None, execution.workflow == JOB_WORKFLOW)
    )


def groups_of(faults: Iterable[Fault]) -> list[FaultGroup]:
    """The largest group first, then by workflow, step and error; what none of them tells comes first."""
    alike: dict[tuple[str | None, ...], list[Fault]] = {}
    for fault in faults:
        alike.setdefault((fault.workflow, fault.step, fault.error, fault.error_class), []).append(fault)
    return sorted(map(_group, alike.values()), key=_place)


def _place(group: FaultGroup) -> tuple[int, str, str, str, str]:
    return -group.count, group.workflow, group.step or "", group.error or "", group.error_class or ""


def _group(alike: Sequence[Fault]) -> FaultGroup:
    last = max(alike, key=lambda fault: (fault.created_at, fault.execution_id))
    again = sum(fault.resumes > 0 for fault in alike)
    return FaultGroup(
        last.workflow,
        last.step,
        last.error,
        len(alike),
        again,
        last.created_at,
        last.execution_id,
        last.error_class,
    )
