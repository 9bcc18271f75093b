"""The recipes of docs/recipes.md, as they are printed: with a crash at every point, and once on AWS's functions."""

import importlib.util
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from stepfast.testing import Environment, MotoCloud

DOCS = Path(__file__).parents[2] / "docs" / "recipes.md"
BLOCKS = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", DOCS.read_text(), re.S))


@dataclass(frozen=True)
class Scenario:
    """A recipe's input, what happens outside meanwhile, and its result. known: its own name among the recipe's."""

    name: str
    input: Any
    result: Any
    outside: Callable[[Any, ModuleType], None] = lambda env, module: None
    known: str | None = None


def declines(env: Any, saga: ModuleType) -> None:
    env.fail(saga.charge, times=None, error=saga.Declined("no money"))
    env.fail(saga.refund, times=7)


def breaks_down(env: Any, saga: ModuleType) -> None:
    env.fail(saga.charge, times=None, error=ConnectionError())


def acknowledges_late(env: Any, module: ModuleType) -> None:
    env.at(timedelta(minutes=20)).signal("acknowledged", "the lead did")


def moves_it_twice(env: Any, module: ModuleType) -> None:
    env.at(timedelta(days=1)).signal("due", "2030-03-01T00:00:00Z")
    env.at(timedelta(days=10)).signal("due", "2030-02-01T00:00:00Z")


def changes_an_account(env: Any, module: ModuleType) -> None:
    for number, change in enumerate(({"amount": 5}, {"amount": -100}, {"amount": -7}, {"close": True})):
        env.at(timedelta(hours=1 + number)).signal("change", change)


def is_done_on_the_third_day(env: Any, polling: ModuleType) -> None:
    env.fail(polling.outcome_of, times=9, error=polling.NotYet())
    env.at(timedelta(minutes=1)).do(lambda: env.fake(polling.outcome_of, "done"))


def two_want_it(env: Any, lock: ModuleType) -> None:
    env.fake(lock.grant, None)
    env.at(timedelta(minutes=1)).signal("acquire", "a")
    env.at(timedelta(minutes=2)).signal("acquire", "b")
    env.at(timedelta(minutes=30)).signal("release-b")


PROGRAM = {
    "values": {"in": "ab"},
    "stages": [
        [{"step": "upper", "takes": "in", "gives": "u"}, {"step": "twice", "takes": "in", "gives": "t"}],
        [{"step": "twice", "takes": "u", "gives": "out"}],
    ],
}
SCENARIOS = [
    Scenario("saga", "o-1", "done", known="all goes well"),
    Scenario("saga", "o-1", "declined", declines, known="declined"),
    Scenario("saga", "o-1", "failed", breaks_down, known="broken"),
    Scenario("escalation", "t-1", "the lead did", acknowledges_late),
    Scenario("escalation", "t-1", "nobody", known="nobody"),
    Scenario("updatable_timer", "2030-01-15T00:00:00Z", "reminded", moves_it_twice),
    Scenario("entity", 3, 1, changes_an_account),
    Scenario("sliding_window", [1, 2, 3, 4, 5], 55),
    Scenario("polling", "j-1", "done", is_done_on_the_third_day),
    Scenario("crawler", "/", ["/", "/a", "/b", "/c"]),
    Scenario("dsl", PROGRAM, {"in": "ab", "u": "AB", "t": "abab", "out": "ABAB"}),
    Scenario("lock", 2, ["a", "b"], two_want_it),
]
EACH = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: f"{one.name}-{one.known or 'as printed'}")


@pytest.fixture
def module(scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The recipe's file, imported."""
    path = tmp_path / f"{scenario.name}.py"
    path.write_text(BLOCKS[scenario.name])
    name = f"recipe_{scenario.name}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, made)
    spec.loader.exec_module(made)
    return made


def played(home: Any, scenario: Scenario, module: ModuleType, crash: int | None = None) -> tuple[Any, int]:
    flow = getattr(module, scenario.name)
    with home(flow) as env:
        scenario.outside(env, module)
        if crash is not None:
            env.crash(at=crash)
        run = env.run(flow, scenario.input)
        assert run.status == "SUCCEEDED", run
        return run.result, len(env.points) if home is Environment else 0


@EACH
def test_it_comes_to_the_same_whenever_the_process_dies(scenario: Scenario, module: ModuleType) -> None:
    result, points = played(Environment, scenario, module)
    assert result == scenario.result
    assert points > 3
    for number in range(points):
        assert played(Environment, scenario, module, number)[0] == scenario.result, number


@EACH
def test_it_comes_to_the_same_on_aws(scenario: Scenario, module: ModuleType) -> None:
    assert played(MotoCloud, scenario, module)[0] == scenario.result


def test_polling_gives_up_when_its_time_is_over() -> None:
    scope: dict[str, Any] = {"__name__": "recipe_polling_twice"}
    exec(compile(BLOCKS["polling"].replace("days=7", "hours=12"), "polling.py", "exec"), scope)
    with Environment(scope["polling"], limit=10_000) as env:
        assert env.run(scope["polling"], "j-1").result == "gave up"


def test_every_recipe_is_played_and_is_short() -> None:
    assert list(BLOCKS) == list(dict.fromkeys(one.name for one in SCENARIOS))
    for name, text in BLOCKS.items():
        assert len([line for line in text.splitlines() if line.strip()]) <= 35, name
    headings = re.findall(r"^## (.*)$", DOCS.read_text(), re.M)
    assert len(headings) == len(BLOCKS) == 9
