"""Which steps a workflow's code can call: every way to name one is followed, and nothing else is taken in."""

import dataclasses
import enum
import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stepfast import step, workflow
from stepfast.language.reachable import reached_by
from stepfast.language.registry import Registry, discover
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow


def make(name: str) -> Step[..., Any]:
    @step(name=name)
    def work(n: int = 0) -> int:
        return n

    return work


A, B, C, UNUSED = make("a"), make("b"), make("c"), make("unused")
BY_NAME = {"one": make("one"), "two": make("two")}
IN_LIST = [make("first"), [make("second")]]
PART = functools.partial(A, 1)
SPACE = SimpleNamespace(work=B, other=make("other"))


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(*args: Any) -> Any:
        return function(*args)

    return inner


WRAPPED = logged(C)


class Steps:
    charge = make("charge")

    class Inner:
        refund = make("refund")

    @staticmethod
    async def both() -> int:
        return int(await A()) + int(await B())

    async def mine(self) -> int:
        return int(await self.charge())


class Kind(enum.Enum):
    FAST = (make("fast"),)


@dataclasses.dataclass(slots=True)
class Service:
    work: Any
    more: dict[str, Any]

    async def run(self) -> int:
        return int(await self.work()) + int(await self.more["x"]())


SERVICE = Service(make("of-service"), {"x": make("in-service")})
STEPS = Steps()


async def helper() -> int:
    return int(await deeper())


async def deeper(fallback: Any = B) -> int:
    return int(await A())


@functools.cache
def chosen() -> Any:
    return C


@step
def calls_another(n: int) -> int:
    as_function: Any = UNUSED
    return int(as_function(n))


async def names_directly() -> Any:
    return await A(), await B()


async def by_key() -> Any:
    return await BY_NAME["one"]()


async def by_list() -> Any:
    return await IN_LIST[0]()  # type: ignore[operator]


async def by_partial() -> Any:
    return await PART()


async def by_wrapper() -> Any:
    return await WRAPPED(1)


async def by_class() -> Any:
    return await Steps.charge()


async def by_inner_class() -> Any:
    return await Steps.Inner.refund()


async def by_static_method() -> Any:
    return await Steps.both()


async def by_method() -> Any:
    return await STEPS.mine()


async def by_new_object() -> Any:
    return await Steps().mine()


async def by_enum() -> Any:
    return await Kind.FAST.value[0]()


async def by_object() -> Any:
    return await SERVICE.run()


async def by_namespace() -> Any:
    return await SPACE.work()


async def by_helper() -> Any:
    return await helper()


async def by_cached_function() -> Any:
    return await chosen()()


async def by_lambda() -> Any:
    return [await step_by_name() for step_by_name in map(lambda name: BY_NAME[name], ["one"])]  # noqa: C417


async def by_inner_function() -> Any:
    async def inner() -> Any:
        return await A()

    return await inner()


async def by_import() -> Any:
    from tests.language.test_reach import B as imported

    return await imported()


async def by_module_import() -> Any:
    import tests.language.test_reach as module

    return await module.C()


async def by_getattr() -> Any:
    return await getattr(sys.modules[__name__], "A")()  # noqa: B009


async def by_a_step_of_its_own() -> Any:
    return await calls_another(1)


async def with_default(chosen: Any = None, *, other: Any = C) -> Any:
    return await other()


async def by_default() -> Any:
    return await with_default()


async def none() -> int:
    return 1


ALL_OF_SERVICE = {"of-service", "in-service"}
EXPECTED: dict[Callable[..., Any], set[str]] = {
    names_directly: {"a", "b"},
    by_key: {"one", "two"},
    by_list: {"first", "second"},
    by_partial: {"a"},
    by_wrapper: {"c"},
    by_class: {"charge"},
    by_inner_class: {"refund"},
    by_enum: {"fast"},
    by_object: ALL_OF_SERVICE,
    by_namespace: {"b"},
    by_helper: {"a", "b"},
    by_cached_function: {"c"},
    by_lambda: {"one", "two"},
    by_inner_function: {"a"},
    by_import: {"b"},
    by_module_import: {"c"},
    by_a_step_of_its_own: {"calls_another"},
    by_default: {"c"},
    none: set(),
}
AT_LEAST: dict[Callable[..., Any], set[str]] = {
    by_static_method: {"a", "b"},
    by_method: {"charge"},
    by_new_object: {"charge"},
}


def found(function: Callable[..., Any]) -> set[str]:
    flow: Workflow[..., Any] = workflow(function.__name__.replace("_", "-"))(
        functools.wraps(function)(lambda: function())
    )
    return {step.name for step in reached_by(flow).steps}


@pytest.mark.parametrize("function", EXPECTED, ids=lambda function: function.__name__)
def test_exactly_the_steps_that_code_names_are_found(function: Callable[..., Any]) -> None:
    assert found(function) == EXPECTED[function]


@pytest.mark.parametrize("function", AT_LEAST, ids=lambda function: function.__name__)
def test_of_methods_the_steps_of_their_class_are_found_too(function: Callable[..., Any]) -> None:
    assert AT_LEAST[function] <= found(function)
    assert "unused" not in found(function)


def test_a_workflow_that_another_awaits_brings_its_steps() -> None:
    @workflow("called")
    async def called() -> Any:
        return await A()

    @workflow("calls")
    async def calls() -> Any:
        return await called(), await B()

    assert [step.name for step in Registry([calls]).steps_of(calls)] in (["a", "b"], ["b", "a"])


def test_an_object_that_raises_whatever_it_is_asked_is_passed_over() -> None:
    class Proxy:
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError("no context")

    proxy = Proxy()

    @workflow("with-proxy")
    async def flow() -> Any:
        return proxy, await A()

    assert [step.name for step in reached_by(flow).steps] == ["a"]


# -- folders ------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, str]], Path]]:
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def make(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        return tmp_path

    yield make
    for name in set(sys.modules) - before:
        del sys.modules[name]


def flow(name: str, body: str = "return 1", imports: str = "") -> str:
    head = f"from stepfast import step, workflow\n{imports}\n@workflow('{name}')\n"
    return f"{head}async def {name}() -> int:\n    {body}\n"


def test_workflows_are_found_in_packages_folders_and_reexports(project: Callable[[dict[str, str]], Path]) -> None:
    folder = project(
        {
            "flows_p/top.py": flow("top"),
            "flows_p/pack/__init__.py": "from .main import main as renamed\n",
            "flows_p/pack/main.py": flow("main"),
            "flows_p/pack/unmentioned.py": flow("unmentioned"),
            "flows_p/pack/sub/__init__.py": "",
            "flows_p/pack/sub/deep.py": flow("deep"),
            "flows_p/plain/folder.py": flow("folder"),
            "flows_p/plain/nested/further.py": flow("further"),
            "flows_p/pack/listed.py": (
                "from stepfast import workflow\ndef make(name):\n    @workflow(name)\n    async def flow() -> int:\n"
                "        return 1\n    return flow\nFLOWS = [make('listed-1'), make('listed-2')]\n"
            ),
            "flows_p/pack/tests/test_main.py": "raise ValueError('a test')",
            "flows_p/pack/test_flow.py": "import stepfast\nraise ValueError('a test')",
            "flows_p/pack/conftest.py": "import stepfast\nraise ValueError('of pytest')",
            "flows_p/pack/_private.py": "import stepfast\nraise ValueError('private')",
            "flows_p/pack/script.py": "raise SystemExit('a script of its own')",
            "flows_p/pack/data/readme.txt": "no code",
        }
    )
    workflows = discover(folder / "flows_p").workflows
    named = ["deep", "folder", "further", "listed-1", "listed-2", "main", "top", "unmentioned"]
    assert sorted(workflows) == named


def test_a_nested_module_that_cannot_be_imported_is_told_with_its_line(
    project: Callable[[dict[str, str]], Path],
) -> None:
    from stepfast.errors import StartupError

    folder = project({"flows_q/a/b/c.py": "import stepfast\n\n1 / 0\n"})
    with pytest.raises(StartupError, match=r"importing flows_q\.a\.b\.c failed at .*c\.py, line 3: ZeroDivisionError"):
        discover(folder / "flows_q")


def test_steps_from_outside_the_folder_are_found_with_their_pools(project: Callable[[dict[str, str]], Path]) -> None:
    outside = "from stepfast import step\n@step(pool='{0}', timeout=700)\ndef {0}() -> int:\n    return 1\n"
    folder = project(
        {
            "flows_r/main.py": flow(
                "main",
                "from lazily import late\n    return await far() + await module_r.by_module() + await late()",
                "from package_r import far\nimport module_r",
            ),
            "package_r/__init__.py": "from package_r.inner import far\n",
            "package_r/inner.py": outside.format("far"),
            "module_r.py": outside.format("by_module"),
            "lazily.py": outside.format("late"),
        }
    )
    registry = discover(folder / "flows_r")
    assert registry.pools == ["by_module", "default", "far", "late"]
    assert {step.name for step in registry.steps_of(registry.find("main"))} == {"far", "by_module", "late"}


def test_a_workflow_shows_its_own_steps_and_not_those_of_its_module(project: Callable[[dict[str, str]], Path]) -> None:
    text = flow("first", "return await one()", "@step\ndef one() -> int: return 1\n@step\ndef two() -> int: return 2")
    folder = project({"flows_s/main.py": text + flow("second", "return await two()")})
    registry = discover(folder / "flows_s")
    names_by_workflow = {
        name: [step.name for step in registry.steps_of(flow)] for name, flow in registry.workflows.items()
    }
    assert names_by_workflow == {"first": ["one"], "second": ["two"]}
