"""The figures of the table: what is measured for each, and the target that issue 3 sets."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.measure import Measured

Samples = Mapping[str, Sequence[Measured]]
"""What each work measured, round by round."""


@dataclass(frozen=True, slots=True)
class Work:
    """One measurement, made once a round in a process of its own; `crowded` runs on the file of many executions."""

    key: str
    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    crowded: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the table: a field of one work, or its ratio to the same field of another."""

    title: str
    unit: str
    work: str
    field: str
    target: float | None = None
    over: str | None = None
    least: bool = False
    """True where more is better: throughput and the like."""
    per: str | None = None
    """Another field of the same work to divide by."""
    times: float = 1.0

    def values(self, samples: Samples) -> list[float]:
        """One value a round."""
        values = [
            self.times * sample[self.field] / (sample[self.per] if self.per else 1.0) for sample in samples[self.work]
        ]
        if self.over is None:
            return values
        others = [sample[self.field] for sample in samples[self.over]]
        return [value / other for value, other in zip(values, others, strict=True)]

    def met(self, value: float) -> bool | None:
        if self.target is None:
            return None
        return value >= self.target if self.least else value <= self.target


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: all of it for the record, or a minute's worth to see that it runs."""

    rounds: int
    times: int
    executions: int
    crowd: int
    imports: int
    sequences: tuple[int, ...]
    gathers: tuple[int, ...]
    curve_rounds: int


FULL = Scale(
    rounds=5,
    times=30,
    executions=200,
    crowd=100_000,
    imports=11,
    sequences=(10, 30, 100, 300, 1000, 3000, 5000),
    gathers=(10, 30, 100, 300, 1000, 3000),
    curve_rounds=3,
)
QUICK = Scale(
    rounds=1,
    times=3,
    executions=50,
    crowd=2_000,
    imports=3,
    sequences=(10, 100, 300),
    gathers=(10, 100, 300),
    curve_rounds=1,
)


def works(scale: Scale) -> list[Work]:
    made = [Work("raw", "raw")]
    for kind in ("async", "def"):
        made += [
            Work(f"sequence-10-{kind}", "sequence", {"steps": 10, "times": scale.times, "kind": kind}),
            Work(f"sequence-1000-{kind}", "sequence", {"steps": 1000, "kind": kind}),
            Work(f"throughput-{kind}", "throughput", {"executions": scale.executions, "steps": 10, "kind": kind}),
            Work(f"gather-100-{kind}", "gather", {"steps": 100, "times": scale.times // 3, "kind": kind}),
            Work(f"gather-1000-{kind}", "gather", {"steps": 1000, "kind": kind}),
        ]
    many = {"executions": scale.executions, "steps": 10}
    return [
        *made,
        Work("crowded", "throughput", many, crowded=True),
        Work("sequence-undurable", "sequence", {"steps": 1000, "durability": "process"}),
        Work("throughput-undurable", "throughput", {**many, "durability": "process"}),
        Work("gather-undurable", "gather", {"steps": 1000, "durability": "process"}),
        Work("imports", "imports", {"times": scale.imports}),
    ]


def figures(scale: Scale) -> list[Figure]:
    many, crowd = f"{scale.executions} executions of 10", f"{scale.crowd:,} executions"
    made = [
        Figure("disk: append 1 KB and fsync", "ms", "raw", "append_fsync_ms"),
        Figure("disk: overwrite and fdatasync", "ms", "raw", "overwrite_fdatasync_ms"),
        Figure("disk: a commit in SQLite, WAL, FULL", "ms", "raw", "sqlite_commit_ms"),
    ]
    for kind in ("async", "def"):
        ten, thousand, wide = f"sequence-10-{kind}", f"sequence-1000-{kind}", f"gather-1000-{kind}"
        made += [
            Figure(f"sequence of 10, {kind}", "ms a step", ten, "ms_per_step", 0.6),
            Figure(f"sequence of 1,000, {kind}", "ms a step", thousand, "ms_per_step", 0.6),
            Figure("  in commits of the disk just then", "a step", thousand, "ms_per_step", per="sqlite_commit_ms"),
            Figure(f"{many}, {kind}", "steps/s", f"throughput-{kind}", "steps_per_s", 4000, least=True),
            Figure(f"gather of 100, {kind}", "ms", f"gather-100-{kind}", "seconds", 20, times=1000),
            Figure(f"gather of 1,000, {kind}", "s", wide, "seconds", 0.3),
            Figure(f"CPU, sequence of 1,000, {kind}", "s/1,000 steps", thousand, "cpu_s_per_1000", 0.4),
            Figure(f"CPU, {many}, {kind}", "s/1,000 steps", f"throughput-{kind}", "cpu_s_per_1000", 0.4),
            Figure(f"CPU, gather of 1,000, {kind}", "s/1,000 steps", wide, "cpu_s_per_1000", 0.4),
            Figure(f"resident after {many}, {kind}", "MB", f"throughput-{kind}", "resident_mb", 120),
            Figure(f"resident at most, gather of 1,000, {kind}", "MB", wide, "peak_mb", 120),
        ]
    bare = "above_bare_pydantic_ms"
    return [
        *made,
        Figure(
            f"throughput with {crowd} in the file", "of empty", "crowded", "steps_per_s", 0.9, "throughput-async", True
        ),
        Figure("durability process: sequence of 1,000", "ms a step", "sequence-undurable", "ms_per_step"),
        Figure(f"durability process: {many}", "steps/s", "throughput-undurable", "steps_per_s"),
        Figure("durability process: gather of 1,000", "s", "gather-undurable", "seconds"),
        Figure("import stepfast, all of it", "ms", "imports", "stepfast_ms"),
        Figure("import stepfast, above `import pydantic`", "ms", "imports", bare, 40),
        Figure("import stepfast, above pydantic's models", "ms", "imports", "above_pydantic_models_ms", 20),
    ]


# -- curves -------------------------------------------------------------------------------------------

Curve = Literal["sequence", "gather"]


def curve_works(scale: Scale) -> list[Work]:
    """The same work at growing sizes; small ones are run several times."""
    sizes: list[tuple[Curve, int]] = [("sequence", size) for size in scale.sequences]
    sizes += [("gather", size) for size in scale.gathers]
    return [Work(f"{name}/{size}", name, {"steps": size, "times": max(1, 200 // size)}) for name, size in sizes]


def curve(samples: Samples, name: Curve, field: str) -> list[tuple[int, float]]:
    """Medians by size."""
    sizes = sorted(int(key.partition("/")[2]) for key in samples if key.startswith(f"{name}/"))
    return [(size, statistics.median(sample[field] for sample in samples[f"{name}/{size}"])) for size in sizes]


def exponent(points: Sequence[tuple[int, float]], least: int = 100) -> float:
    """The power of its size that the cost grows with, from `least` on; 1 is linear, 2 quadratic."""
    logs = [(math.log(size), math.log(cost)) for size, cost in points if size >= least]
    slope, _ = statistics.linear_regression([size for size, _ in logs], [cost for _, cost in logs])
    return slope
