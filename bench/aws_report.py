"""The tables of `bench.aws`, as text."""

from __future__ import annotations

from collections.abc import Mapping

from bench import aws_lines as lines
from bench import aws_prices as prices
from bench.aws_cases import Cases
from bench.aws_cold import BASE, KINDS, Cold
from bench.table import shown, table

RETENTION_DAYS = 90.0
"""The default retention of ended executions."""
PARTS = ("writes", "reads", "SQS", "requests", "time", "API", "logs", "total")


def report(results: Cases, cold: Mapping[str, Cold]) -> str:
    """All tables, with the targets beside the figures."""
    return "\n\n".join([_figures(results, cold), _costs(results), _notes(results), _idle(results), _cold(cold)])


def _figures(results: Cases, cold: Mapping[str, Cold]) -> str:
    rows = []
    for line in lines.figures(results, cold):
        target = "" if line.target is None else f"at most {line.target:g}"
        met = {None: "", True: "met", False: "MISSED"}[line.met]
        rows.append((line.title, _number(line.value), line.unit, target, met))
    return table(("stepfast on AWS", "figure", "unit", "target", ""), rows)


def _costs(results: Cases) -> str:
    rows = []
    for case in lines.CASES:
        parts = lines.per_million(results, case.bill)
        theirs = ("" if price is None else f"{price:,.0f}" for price in lines.others_charge(case))
        rows.append((case.title, *(_number(parts[part]) for part in PARTS), *theirs))
    head = ("$ for a million", *PARTS, "Step Functions", "durable functions")
    return table(head, rows)


def _notes(results: Cases) -> str:
    memory, kept = results.memory, lines.kept(results, RETENTION_DAYS)
    write, query = (1000 * prices.LATENCY[operation] for operation in ("PutItem", "Query"))
    room = 1024 - results.facts["bytes of a chained record"]
    transitions, operations = prices.step_functions(lines.MILLION), prices.durable_functions(lines.MILLION)
    return "\n".join(
        [
            f"List prices of {prices.DATED}, free tiers left out. Functions on arm64: steps {memory['step']} MB, the",
            f"authorizer {memory['authorizer']} MB, others {memory['api']} MB. time is work / (MB / {prices.VCPU_MB})",
            f"+ waiting ({write:g} ms a write, {query:g} ms a query).",
            f"Step Functions Standard: ${transitions:g} a million transitions.",
            f"Lambda durable functions: ${operations:g} a million operations.",
            "Both without the Lambda functions that they call or run in.",
            f"A chained step's record leaves {room:,.0f} bytes for arguments and result until it takes a second unit.",
            f"Not in it: keeping a million records for {RETENTION_DAYS:g} days, ${shown(kept['stored'])}, and deleting",
            f"them then, ${shown(kept['deleted'])}.",
        ]
    )


def _idle(results: Cases) -> str:
    month = lines.idle_month(results)
    total = sum(line.value for line in month)
    rows = [*((line.title, shown(line.value)) for line in month), ("total", shown(total))]
    return table(("a month in which nothing runs", "$"), rows)


def _cold(cold: Mapping[str, Cold]) -> str:
    """CPU milliseconds by package, in the proportions that -X importtime reports."""
    groups = sorted({name for kind in KINDS for name in cold[kind].shares}, key=lambda group: -_all(cold, group))
    rows = []
    for name, start in cold.items():
        ours = name in KINDS
        ratios = (shown(start.cpu / cold[BASE].cpu), shown(lines.own_ratio(cold, name))) if ours else ("", "")
        shares = (f"{start.cpu * start.shares.get(group, 0.0):.0f}" if ours else "" for group in groups)
        rows.append((name, f"{start.cpu:.0f}", f"{start.wall:.0f}", *ratios, *shares))
    slowest = [
        f"  {kind}: " + ", ".join(f"{module} {shown(share * cold[kind].cpu)}" for module, share in cold[kind].worst)
        for kind in KINDS
    ]
    return "\n".join(
        [
            table(("cold start, ms", "work", "passed", "ratio", "own", *groups), rows),
            f"ratio: to `{BASE}`; own: to boto3 and those clients that the function makes. clients: making them and",
            "the engine. The work is the processor's time, split as -X importtime does. The slowest single modules:",
            *slowest,
        ]
    )


def _all(cold: Mapping[str, Cold], group: str) -> float:
    return sum(cold[kind].shares.get(group, 0.0) for kind in KINDS)


def _number(value: float) -> str:
    """The number as text: whole numbers in full, others with three significant digits."""
    return f"{round(value):,}" if abs(value - round(value)) < 5e-4 else shown(value)
