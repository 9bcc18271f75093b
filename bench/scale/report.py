"""The tables of docs/scale.md, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from bench.scale.demand import Demand, first_to_give_way, measured, prepared, stacks
from bench.scale.flow import PATIENCE_SECONDS, Outcome, play
from bench.scale.quotas import DEFAULTS, Quota, Setup, as_deployed

RATES = (10.0, 1_000.0, 100_000.0)
"""Starts per second."""
STEP_SECONDS = (0.0, 10.0)
"""The duration of all ten steps: of steps that do nothing, and of steps of a second."""
LOAD_SECONDS = 300.0
HOUR, MILLION = 3600.0, 1e6
RAISED_BY = {"setting": "a setting", "request": "a request to AWS", "never": "nobody"}


def report() -> str:
    """All tables. The text is the same every time, because it is computed from committed measurements."""
    return "\n\n".join("\n".join(lines) for lines in (_quotas(), _needs(), _first(), _prepared(), _default()))


def _quotas() -> Iterator[str]:
    yield "| quota | default | raised by | source |"
    yield "|---|---|---|---|"
    for quota in DEFAULTS.values():
        yield f"| {quota.title} | {_limit(quota)} | {RAISED_BY[quota.raised_by]} | {quota.source} |"


def _needs() -> Iterator[str]:
    cases = [(rate, seconds) for rate in RATES for seconds in STEP_SECONDS]
    yield "| needed at " + "".join(f"| {rate:,.0f}/s, steps of {seconds / 10:g} s " for rate, seconds in cases) + "|"
    yield "|---" * (len(cases) + 1) + "|"
    columns = [measured(seconds).needs(rate, batch=1) for rate, seconds in cases]
    for name, quota in DEFAULTS.items():
        cells = [_over(column[name], quota.limit) for column in columns]
        yield f"| {quota.title} | " + " | ".join(cells) + " |"


def _first() -> Iterator[str]:
    yield "| ten steps of | first to give way, as deployed | at, starts a second |"
    yield "|---|---|---|"
    for seconds in (0.0, 1.0, 10.0, 100.0):
        name, rate = first_to_give_way(measured(seconds), as_deployed())
        yield f"| {seconds / 10:g} s | {DEFAULTS[name].title} | {_digits(rate)} |"


def _prepared() -> Iterator[str]:
    yield (
        "| starts a second | steps of | stacks | `batch_size` | concurrency of the account | table, units a second "
        "| start to first step, median, p99 | to the end | dollars an hour | of it steps' own time | a million |"
    )
    yield "|---" * 11 + "|"
    for rate in RATES:
        for seconds in STEP_SECONDS:
            yield _prepared_row(measured(seconds), rate)


def _prepared_row(demand: Demand, rate: float) -> str:
    number = stacks(demand, rate)
    setup = prepared(demand, rate / number)
    outcome = play(demand, setup, rate / number, LOAD_SECONDS)
    own = demand.own_dollars(setup.batch)
    every = demand.dollars + own
    cells: Sequence[str] = (
        f"{rate:,.0f}",
        f"{demand.step_seconds / 10:g} s",
        f"{number}",
        f"{setup.batch}",
        f"{number * setup.limit('concurrency'):,.0f}",
        f"{setup.limit('table writes'):,.0f}" + (" each" if number > 1 else ""),
        _pair(outcome.first_step),
        _pair(outcome.ended),
        f"{rate * HOUR * every:,.2f}",
        f"{rate * HOUR * own:,.2f}",
        f"{MILLION * every:,.1f}",
    )
    return "| " + " | ".join(cells) + " |"


def _default() -> Iterator[str]:
    yield (
        "| starts a second, for 5 minutes | steps of | functions | start to first step, median, p99 | to the end "
        "| begun meanwhile | all begun, seconds later | held up longest by |"
    )
    yield "|---" * 8 + "|"
    for rate in (10.0, 100.0, 150.0, 1_000.0):
        for seconds in STEP_SECONDS:
            for warm in (False, True):
                setup = as_deployed(warm)
                outcome = play(measured(seconds), setup, rate, LOAD_SECONDS)
                yield _default_row(rate, seconds, setup, outcome)


def _default_row(rate: float, seconds: float, setup: Setup, outcome: Outcome) -> str:
    later = f"more than {PATIENCE_SECONDS:,.0f}" if outcome.drained is None else f"{outcome.drained:,.0f}"
    cells: Sequence[str] = (
        f"{rate:,.0f}",
        f"{seconds / 10:g} s",
        "warm" if setup.warm else "cold",
        _pair(outcome.first_step),
        _pair(outcome.ended),
        f"{100 * outcome.taken_meanwhile:.0f} %",
        later,
        next(iter(outcome.held_up_by), "nothing"),
    )
    return "| " + " | ".join(cells) + " |"


def _limit(quota: Quota) -> str:
    return f"{quota.limit:,.0f} {quota.unit}".strip()


def _over(need: float, limit: float) -> str:
    """The number as text, in bold type where it exceeds the default."""
    return f"**{_digits(need)}**" if need > limit else _digits(need)


def _pair(seconds: tuple[float, float]) -> str:
    return ", ".join(f"{number:,.1f} s" if math.isfinite(number) else "never" for number in seconds)


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
