"""A name has one meaning: names of variables, classes and numbers in the package.

- A variable or parameter is called by the noun of what it holds (docs/glossary.md), never by a pronoun or participle;
  also in what else of the repository runs beside it, such as bench/ and demo/.
- A class name stands in one module. MIRRORS lists the exceptions: client/shapes.py and http/models.py name a class as
  the API names what it describes, so a shape, its view and the model that both show may share that name. Public names
  that users have in their own code are kept as well.
- A constant that holds a number stands in one module, so that its name says which duration, size or count it is.
  SAME_NUMBERS lists those that mean the same in each of their modules.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

import stepfast

SOURCE = Path(stepfast.__file__).parent
REPOSITORY = Path(__file__).resolve().parents[2]
BESIDE = ("src/pytest_stepfast", "bench", "demo", "functions", "infra", "workflows")
"""Folders of Python beside the package and its tests."""
BANNED = frozenset({"one", "ones", "told", "found", "given", "what", "thing"})
NOT_YET_CLEAN = {"testing": 1}
"""By package: how many variables of a banned name it still has, which may only shrink. `run_until(what)` is public."""

SHAPE = "client/shapes.py"
MODEL = "model.py"
VIEW = "http/models.py"
AN_ANSWER = "an answer of the API, as the server writes it and as the client reads it"
AS_MODELLED = "what the API shows of the model's class, as the client reads it"
MIRRORS: dict[str, tuple[frozenset[str], str]] = {
    "Attempt": (frozenset({MODEL, SHAPE}), AS_MODELLED),
    "Command": (frozenset({"replay/commands.py", SHAPE}), AS_MODELLED),
    "Event": (frozenset({MODEL, SHAPE}), AS_MODELLED),
    "Execution": (
        frozenset({MODEL, SHAPE, "client/execution.py"}),
        f"{AS_MODELLED}; `stepfast.Execution` is the public handle on it",
    ),
    "Health": (frozenset({VIEW, SHAPE}), AN_ANSWER),
    "History": (frozenset({VIEW, SHAPE}), AN_ANSWER),
    "Replayed": (frozenset({VIEW, SHAPE}), AN_ANSWER),
    "ResumedExecution": (frozenset({VIEW, SHAPE}), AN_ANSWER),
    "StartedExecution": (frozenset({VIEW, SHAPE}), AN_ANSWER),
    "Signal": (frozenset({MODEL, SHAPE}), AS_MODELLED),
    "Workflow": (frozenset({"language/workflows.py", SHAPE}), AS_MODELLED),
}
"""By class name: the modules that define it, and why they may."""

DYNAMODB = "backends/dynamodb"
REPAIR = f"{DYNAMODB}/retention_repair.py"
SAME_NUMBERS: dict[str, tuple[frozenset[str], str]] = {
    "DAY_SECONDS": (
        frozenset({"deployment/settings.py", "http/routes/figures.py", "local/retention.py", REPAIR}),
        "the seconds of a day",
    ),
    "LEFT_SECONDS": (
        frozenset({"functions/consumer.py", "local/runtime.py", "testing/process.py"}),
        "the seconds until a message comes back that the worker left alone, in each home and in the kit",
    ),
    "QUIET_SECONDS": (
        frozenset({"http/listener.py", "http/problems.py"}),
        "the seconds for which a condition must be over before it is logged again",
    ),
    "THREADS": (
        frozenset({f"{DYNAMODB}/{module}.py" for module in ("deletion", "large_values", "listing", "metrics")}),
        "the parallel requests of one operation on AWS",
    ),
}
"""By constant: the modules that define it, and what it means in all of them."""

Place = tuple[str, str]
"""A name, and the module that defines it: its path below src/stepfast."""


def variables(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of everything that the code binds as a variable or parameter."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name
            case ast.MatchMapping(rest=str(name)):
                yield node.lineno, name
            case ast.alias(asname=str(name)):
                yield node.lineno, name


def classes(tree: ast.AST) -> Iterator[str]:
    """Names of all classes, those inside functions and classes too; without the underscore of a private one."""
    return (node.name.lstrip("_") for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def numbers(tree: ast.Module) -> Iterator[str]:
    """Names of the constants at the top of a module that hold a number; without the underscore of a private one."""
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets: list[ast.expr] = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        for target in targets:
            many = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            values = node.value.elts if many and isinstance(node.value, ast.Tuple) else [node.value] * len(names)
            for name, value in zip(names, values, strict=False):
                if isinstance(name, ast.Name) and name.id.isupper() and value is not None and is_number(value):
                    yield name.id.lstrip("_")


def is_number(value: ast.expr) -> bool:
    """A literal number, or a calculation in which literal numbers and other constants stand (`7 * DAY`)."""
    match value:
        case ast.Constant(value=int() | float() as number):
            return not isinstance(number, bool)
        case ast.UnaryOp(operand=operand):
            return is_number(operand)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.Pow(), right=right):
            sides = (left, right)
            names = [side for side in sides if isinstance(side, ast.Name) and side.id.isupper()]
            return any(map(is_number, sides)) and all(side in names or is_number(side) for side in sides)
    return False


def repeated(places: Iterable[Place], allowed: dict[str, tuple[frozenset[str], str]]) -> dict[str, list[str]]:
    """Names that stand more than once, with their modules, unless the table allows the name in just these modules."""
    modules: dict[str, list[str]] = defaultdict(list)
    for name, module in places:
        modules[name].append(module)
    return {
        name: sorted(homes)
        for name, homes in modules.items()
        if len(homes) > 1 and (name not in allowed or sorted(homes) != sorted(allowed[name][0]))
    }


@cache
def package() -> dict[str, ast.Module]:
    """The modules of the package, parsed, by their path below src/stepfast."""
    return parsed(SOURCE, SOURCE)


def parsed(folder: Path, top: Path) -> dict[str, ast.Module]:
    """The modules of a folder, parsed, by their path below `top`."""
    files = sorted(folder.rglob("*.py"))
    return {file.relative_to(top).as_posix(): ast.parse(file.read_text(encoding="utf-8")) for file in files}


def banned(modules: dict[str, ast.Module]) -> list[str]:
    """The variables of a banned name, each with its module and line."""
    return [
        f"{module}:{line} {name}"
        for module, tree in modules.items()
        for line, name in variables(tree)
        if name in BANNED
    ]


def test_no_variable_is_called_by_a_pronoun_or_participle() -> None:
    clean = {module: tree for module, tree in package().items() if module.split("/")[0] not in NOT_YET_CLEAN}
    assert {"language", "replay", "engine", "backends", "http"} <= {module.split("/")[0] for module in clean}
    assert banned(clean) == [], "call it by the noun of what it holds (docs/glossary.md)"


@pytest.mark.parametrize("folder", NOT_YET_CLEAN)
def test_a_package_that_is_not_clean_yet_gets_no_further_banned_names(folder: str) -> None:
    names = banned({module: tree for module, tree in package().items() if module.split("/")[0] == folder})
    assert len(names) <= NOT_YET_CLEAN[folder], names


@pytest.mark.parametrize("folder", BESIDE)
def test_no_variable_beside_the_package_is_called_by_a_pronoun_or_participle(folder: str) -> None:
    files = parsed(REPOSITORY / folder, REPOSITORY)
    assert files
    assert banned(files) == [], "call it by the noun of what it holds (docs/glossary.md)"


@cache
def all_classes() -> list[Place]:
    return [(name, module) for module, tree in package().items() for name in classes(tree)]


@cache
def all_numbers() -> list[Place]:
    return [(name, module) for module, tree in package().items() for name in numbers(tree)]


def test_a_class_name_stands_in_one_module() -> None:
    assert repeated(all_classes(), MIRRORS) == {}, (
        "give each class a name of its own; MIRRORS is for what the API names"
    )


def test_the_name_of_a_number_stands_in_one_module() -> None:
    assert repeated(all_numbers(), SAME_NUMBERS) == {}, (
        "name the constant by its owner and unit, such as CANCEL_LOOK_SECONDS"
    )


@pytest.mark.parametrize("name", MIRRORS)
def test_each_mirror_that_is_allowed_is_still_there(name: str) -> None:
    homes = {module for known, module in all_classes() if known == name}
    assert homes == MIRRORS[name][0]
    assert SHAPE in homes, "only what the client mirrors may share its name"


@pytest.mark.parametrize("name", SAME_NUMBERS)
def test_each_number_that_is_allowed_twice_is_still_there(name: str) -> None:
    homes = {module for known, module in all_numbers() if known == name}
    assert homes == SAME_NUMBERS[name][0]


@pytest.mark.parametrize(
    "code",
    [
        "told = 1",
        "told: int = 1",
        "told, other = 1, 2",
        "[told for told in ()]",
        "if (told := 1): pass",
        "for told in (): pass",
        "with open('x') as told: pass",
        "def f(told): pass",
        "def f(*, told=1): pass",
        "def f(*told): pass",
        "lambda told: 0",
        "try: pass\nexcept OSError as told: pass",
        "import os as told",
        "match 1:\n    case told: pass",
        "match []:\n    case [*told]: pass",
        "match {}:\n    case {**told}: pass",
    ],
)
def test_every_way_to_bind_a_name_is_seen(code: str) -> None:
    assert "told" in [name for _, name in variables(ast.parse(code))]


@pytest.mark.parametrize("code", ["print(told)", "self.told = 1", "f(told=1)", "'told'"])
def test_what_binds_no_name_is_let_through(code: str) -> None:
    assert "told" not in [name for _, name in variables(ast.parse(code))]


def test_a_second_class_of_a_name_is_seen() -> None:
    trees = {"a.py": ast.parse("class Owner: pass"), "b.py": ast.parse("def f():\n    class _Owner: pass")}
    places = [(name, module) for module, tree in trees.items() for name in classes(tree)]
    assert repeated(places, {}) == {"Owner": ["a.py", "b.py"]}
    assert repeated(places, {"Owner": (frozenset({"a.py", "b.py"}), "a reason")}) == {}
    assert repeated([*places, ("Owner", "c.py")], {"Owner": (frozenset({"a.py", "b.py"}), "a reason")}) != {}


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("GRACE = 60.0", ["GRACE"]),
        ("_GRACE: float = 1", ["GRACE"]),
        ("TRIES, PAUSE = 20, 0.002", ["TRIES", "PAUSE"]),
        ("GRACE = -1", ["GRACE"]),
        ("KEPT = 91 * DAY", ["KEPT"]),
        ("GRACE = 'text'", []),
        ("GRACE = True", []),
        ("GRACE = frozenset({429})", []),
        ("TEXT = 2 * NAME % 3", []),
        ("grace = 60.0", []),
        ("def f():\n    GRACE = 60.0", []),
    ],
)
def test_constants_that_hold_a_number_are_seen(code: str, names: list[str]) -> None:
    assert list(numbers(ast.parse(code))) == names
