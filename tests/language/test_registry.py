"""Finding the workflows of a folder; what is wrong with one is told with its file and line."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from stepfast import step, workflow
from stepfast.errors import DefinitionError, StartupError, UnknownWorkflow
from stepfast.language.registry import Registry, discover

Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """Makes a workflows folder of files by name; modules and import paths are put back afterwards."""
    modules, paths = set(sys.modules), list(sys.path)

    def make(name: str, **files: str) -> Path:
        made = tmp_path / name
        made.mkdir()
        for file, text in files.items():
            path = made / (file.replace("__", "/") + ".py")
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(dedent(text))
        return made

    yield make
    sys.path[:] = paths
    for module in set(sys.modules) - modules:
        del sys.modules[module]


def flow(name: str) -> str:
    return f"""
        from stepfast import step, workflow

        @step(pool="pool-of-{name}")
        def step_of_{name}(n: int) -> int:
            return n

        @workflow("{name}")
        async def {name}(n: int) -> int:
            return await step_of_{name}(n)
    """


def package(folder: Path, name: str, **files: str) -> None:
    (folder / name).mkdir()
    for file, text in files.items():
        (folder / name / f"{file}.py").write_text(dedent(text))


def test_modules_and_packages_are_found_with_their_steps_and_pools(folder: Folder) -> None:
    made = folder("flows_a", one=flow("one"))
    package(made, "two", __init__="from .steps import two", steps=flow("two"))
    registry = discover(made)
    assert sorted(registry.workflows) == ["one", "two"]
    assert sorted(step.name for step in registry.steps) == ["step_of_one", "step_of_two"]
    assert registry.pools == ["default", "pool-of-one", "pool-of-two"]


def test_steps_of_a_workflow_are_those_that_its_code_can_call(folder: Folder) -> None:
    made = folder("flows_b", alone=flow("alone"), other=flow("other"))
    package(
        made,
        "big",
        __init__="from .parts import helper\nfrom .main import big",
        parts="from stepfast import step\n@step\ndef helper(n: int) -> int: return n",
        main=(
            "from stepfast import workflow\nfrom . import parts\n"
            "@workflow('big')\nasync def big(n: int) -> int: return await parts.helper(n)\n"
            "@workflow('small')\nasync def small(n: int) -> int: return n"
        ),
    )
    registry = discover(made)
    named = {name: [step.name for step in registry.steps_of(workflow)] for name, workflow in registry.workflows.items()}
    assert named == {"alone": ["step_of_alone"], "other": ["step_of_other"], "big": ["helper"], "small": []}


def test_discovering_again_finds_the_same(folder: Folder) -> None:
    made = folder("flows_c", one=flow("one"))
    package(made, "two", __init__="from .steps import two", steps=flow("two"))
    first, second = discover(made), discover(made)
    assert first.workflows == second.workflows
    assert set(first.steps) == set(second.steps)


def test_imported_definitions_are_no_duplicates(folder: Folder) -> None:
    made = folder("flows_d", one=flow("one"), two="from flows_d.one import one, step_of_one")
    registry = discover(made)
    assert list(registry.workflows) == ["one"]
    assert len(registry.steps) == 1


def test_the_folder_is_a_package_of_its_parent(folder: Folder) -> None:
    made = folder("flows_e", one=flow("one"), shared="VALUE = 1", two="from flows_e.shared import VALUE")
    assert discover(made).workflows["one"].__module__ == "flows_e.one"


def test_a_folder_whose_name_is_no_identifier_holds_top_level_modules(folder: Folder) -> None:
    made = folder("my-flows", only_here=flow("only_here"))
    assert discover(made).workflows["only_here"].__module__ == "only_here"


def test_files_whose_names_are_no_identifiers_are_found_too(folder: Folder) -> None:
    made = folder("flows_f", **{"order-fulfilment": flow("order")})
    package(made, "quarterly-report", __init__="from .steps import report", steps=flow("report"))
    assert sorted(discover(made).workflows) == ["order", "report"]


def test_hidden_private_and_other_files_are_left_alone(folder: Folder) -> None:
    made = folder("flows_g", one=flow("one"), _draft="raise ValueError", **{".hidden": "raise ValueError"})
    (made / "README.md").write_text("raise ValueError")
    (made / "notes").mkdir()
    (made / "old.py.bak").write_text("raise ValueError")
    (made / "dotted.name.py").write_text("raise ValueError")
    assert list(discover(made).workflows) == ["one"]


def test_an_empty_folder_has_no_workflows(folder: Folder) -> None:
    registry = discover(folder("flows_h"))
    assert (registry.workflows, registry.steps, registry.pools) == ({}, (), ["default"])


@pytest.mark.parametrize("name", ["missing", "missing/deeper"])
def test_a_missing_folder_says_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(StartupError, match=r"no workflows folder at .*missing.*: make one, or name another"):
        discover(tmp_path / name)


def test_a_file_in_the_folders_place_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartupError, match="no workflows folder"):
        discover(tmp_path / "file")


def complaint(made: Path) -> str:
    with pytest.raises(StartupError) as refused:
        discover(made)
    said = str(refused.value)
    assert "\n" not in said
    return said


def test_a_syntax_error_is_told_with_file_and_line(folder: Folder) -> None:
    made = folder("flows_i", good=flow("good"), bad="x = 1\ndef broken(:\n    pass\n")
    assert complaint(made) == f"{made / 'bad.py'}, line 2: invalid syntax"


def test_a_syntax_error_in_a_module_that_another_imports_is_told_where_it_is(folder: Folder) -> None:
    made = folder("flows_j")
    package(made, "flow", __init__="from . import inner", inner="\n\nif True\n")
    assert complaint(made).startswith(f"{made / 'flow' / 'inner.py'}, line 3: ")


def test_a_file_that_is_no_program_text(folder: Folder) -> None:
    made = folder("flows_k")
    (made / "zeros.py").write_bytes(b"\0\0")
    assert complaint(made).startswith("importing flows_k.zeros failed: ")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("import sys\nimport no_such_module", 2, "ModuleNotFoundError: No module named 'no_such_module'"),
        ("\n\nraise ValueError('not today')", 3, "ValueError: not today"),
        ("import sys\nsys.exit(3)", 2, "SystemExit: 3"),
        ("import json\nX = json.loads('{')", 2, "JSONDecodeError: "),
        ("from stepfast import step\n@step(timeout=-1)\ndef f() -> None: ...", 2, "DefinitionError: step 'f': timeout"),
        ("from stepfast import Retry\nR = Retry(max_attempts=0)", 2, "DefinitionError: Retry: max_attempts"),
        ("from stepfast import workflow\n@workflow('w')\ndef f(): ...", 2, "DefinitionError: workflow 'w': "),
    ],
)
def test_an_import_that_fails_is_told_with_the_line_of_the_folders_own(
    folder: Folder, text: str, line: int, said: str
) -> None:
    made = folder("flows_l", bad=text)
    assert complaint(made).startswith(f"importing flows_l.bad failed at {made / 'bad.py'}, line {line}: {said}")
    del sys.modules["flows_l"]


def test_two_workflows_of_one_name_are_told_with_both_places(folder: Folder) -> None:
    made = folder("flows_m", a=flow("same"), b=flow("same"))
    assert complaint(made) == "two workflows are named 'same': in flows_m.a and flows_m.b"


def test_a_name_that_is_taken_by_another_module_is_told(folder: Folder) -> None:
    said = complaint(folder("not-a-package", json=flow("json")))
    assert "json in " in said
    assert "its name is taken by " in said
    assert said.endswith("; rename it")


def test_a_type_without_json_form_is_found_before_anything_runs(folder: Folder) -> None:
    made = folder("flows_n", bad="from stepfast import step\n@step\ndef f(file: open) -> int: return 1")
    assert complaint(made).startswith("step 'f': argument 'file': <built-in function open> has no JSON form")


def test_an_annotation_that_names_nothing_is_found_before_anything_runs(folder: Folder) -> None:
    text = "from stepfast import workflow\n@workflow\nasync def w(order: 'Order') -> None: ..."
    assert complaint(folder("flows_o", bad=text)) == (
        "workflow 'w': an annotation cannot be resolved: name 'Order' is not defined"
    )


# -- the registry itself --------------------------------------------------------------------------------


@step(pool="cpu")
def work(n: int) -> int:
    return n


@workflow("known")
async def known(n: int) -> int:
    return await work(n)


def test_a_workflow_is_got_by_its_name() -> None:
    registry = Registry([known], [work, work])
    assert registry.get("known") is registry.find("known") is known
    assert registry.get("other") is None
    assert registry.steps == (work,)
    assert registry.pools == ["cpu", "default"]


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    with pytest.raises(UnknownWorkflow, match="no workflow is named 'other'; there are: known"):
        Registry([known]).find("other")
    with pytest.raises(UnknownWorkflow, match="there are: none"):
        Registry([]).find("other")


def test_one_workflow_twice_is_one() -> None:
    assert len(Registry([known, known]).workflows) == 1


def test_a_workflow_whose_result_has_no_json_form_is_a_definition_error() -> None:
    @workflow("odd")
    async def odd(n: int) -> Iterator[Path]:
        raise NotImplementedError

    with pytest.raises(DefinitionError, match="workflow 'odd': result: .* has no JSON form"):
        Registry([odd])


def test_two_workflows_of_one_name_are_a_definition_error() -> None:
    with pytest.raises(DefinitionError, match="two workflows are named 'known'"):
        Registry([known, workflow("known")(known.function)])
