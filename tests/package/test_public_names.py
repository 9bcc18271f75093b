"""The names that users import, and the exceptions they may meet."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import stepfast
from stepfast import errors
from tests.reference.public import HANDLERS, PAGES

PUBLIC = {
    "stepfast": {
        "AsyncClient",
        "AsyncExecution",
        "ChildFailed",
        "Client",
        "CallbackFailed",
        "CallbackLink",
        "CallbackTimeout",
        "ContinueAsNew",
        "callback",
        "Csv",
        "EcsTask",
        "Embedded",
        "Execution",
        "ExecutionContext",
        "ExternalCall",
        "GiveUp",
        "JsonLines",
        "MapBatch",
        "MapFailed",
        "MapFailure",
        "MapReport",
        "MapResults",
        "Retry",
        "RetryAfter",
        "Start",
        "StepContext",
        "StepFailed",
        "child",
        "continue_suggested",
        "deprecate_patch",
        "external_step",
        "patched",
        "current_execution",
        "current_step",
        "logger",
        "map_items",
        "now",
        "random",
        "set_labels",
        "set_status",
        "signal",
        "sleep",
        "step",
        "uuid4",
        "workflow",
        "Gate",
        "Limit",
        "Rate",
        "label",
        "UpdateFailed",
        "UpdateRefused",
        "all_updates_done",
        "query",
        "update",
    },
    "stepfast.client": {
        "AsyncBulkJob",
        "AsyncClient",
        "AsyncExecution",
        "BulkJob",
        "Client",
        "Execution",
        "ExecutionCancelled",
        "ExecutionFailed",
        "NotAllowed",
        "Start",
        "StartIf",
        "Unreachable",
    },
    "stepfast.deployment.project": {
        "InboundSettings",
        "LimitSettings",
        "PoolSettings",
        "Project",
        "RuleSettings",
        "PageSignOn",
        "SignOnSettings",
        "WebhookSettings",
    },
    "stepfast.integrations.pydantic_ai": {
        "Approval",
        "DecideBySignal",
        "PendingCall",
        "StepOptions",
        "StepRunContext",
        "StepfastDurability",
        "replace_model",
    },
    "stepfast.errors": {
        "BatchFailed",
        "ChildFailed",
        "Deadlock",
        "DefinitionError",
        "ExecutionConflict",
        "ExecutionNotFound",
        "FailsExecution",
        "FailsStep",
        "ForbiddenInWorkflow",
        "GiveUp",
        "InvalidRequest",
        "LimitKeyFailed",
        "MapFailed",
        "Misconfigured",
        "NeverAwaited",
        "NonDeterministic",
        "NotStorable",
        "Refused",
        "RetryAfter",
        "StartupError",
        "StepCancelled",
        "StepFailed",
        "StepInterrupted",
        "StepNotDeployed",
        "StepTimeout",
        "StepfastError",
        "TooManyLevels",
        "TooManySignals",
        "Unavailable",
        "UnknownName",
        "UnknownWorkflow",
        "WorkflowNotDeployed",
        "WrongStatus",
    },
    "stepfast.update_errors": {
        "NoSuchHandler",
        "QueryFailed",
        "UpdateFailed",
        "UpdateNotFound",
        "UpdateRefused",
    },
    **{module: {"handler"} for module in HANDLERS},
    "stepfast.infra": {"Stepfast", "synth"},
    "stepfast.infra.app": {"stack", "synth"},
    "stepfast.infra.stack": {"Options", "ScheduledStart", "StepfastStack", "Throttle"},
    "stepfast.infra.target": {"Target"},
    "stepfast.language.registry": {"Registry", "discover"},
    "stepfast.simulator.gateway": {"GatewayRequest", "Response"},
    "stepfast.testing": {
        "Call",
        "Cue",
        "Environment",
        "MakeEnvironment",
        "MotoCloud",
        "NotRepeatable",
        "Rules",
        "Run",
        "Stalled",
        "Waiting",
        "step_context",
    },
    "pytest_stepfast": {"stepfast_env"},
}
"""What is public. A name that is missing here later has been taken from those who use it."""
EXCEPTIONS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, BaseException)]
ROOT = Path(__file__).resolve().parents[2]


def test_the_reference_shows_the_modules_that_are_public() -> None:
    assert {module for page in PAGES for module in page.modules} == {*PUBLIC}


@pytest.mark.parametrize("module", PUBLIC)
def test_a_module_exports_what_is_public_and_no_more(module: str) -> None:
    if module.startswith("stepfast.infra"):
        pytest.importorskip("aws_cdk")
    exporting = importlib.import_module(module)
    assert set(exporting.__all__) == PUBLIC[module]
    assert len(exporting.__all__) == len(PUBLIC[module])
    assert all(hasattr(exporting, name) for name in PUBLIC[module])


def test_the_names_of_the_package_are_sorted() -> None:
    assert sorted(stepfast.__all__) == stepfast.__all__


@pytest.mark.parametrize("name", sorted(PUBLIC["stepfast"]))
def test_every_public_name_has_a_docstring_that_begins_with_a_sentence(name: str) -> None:
    first = (inspect.getdoc(getattr(stepfast, name)) or "").splitlines()[0]
    assert len(first) > 20
    assert first[0].isupper() or first.startswith("`")


def imports_in(text: str) -> Iterator[tuple[str, str]]:
    """(module, name) of each import from stepfast in the Python blocks of a page."""
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        for module, names in re.findall(r"^from (stepfast\S*) import (.+)$", block, re.MULTILINE):
            yield from ((module, name.strip()) for name in names.split(","))


def test_the_documents_import_what_is_public() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    imported = {entry for page in pages for entry in imports_in(page.read_text(encoding="utf-8"))}
    assert ("stepfast.testing", "MotoCloud") in imported
    assert [entry for entry in sorted(imported) if entry[1] not in PUBLIC.get(entry[0], ())] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'stepfast' has no attribute 'Flow'"):
        stepfast.Flow  # noqa: B018


def test_a_workflow_file_needs_neither_the_client_nor_a_backend() -> None:
    program = (
        "import sys\nfrom stepfast import Retry, signal, step, workflow\n"
        "heavy = {'httpx', 'sqlite3', 'typer', 'rich', 'aws_lambda_powertools', 'uvicorn', 'boto3'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_no_module_has_the_name_of_something_that_the_package_offers() -> None:
    """Importing a submodule sets it as an attribute of its package, over whatever stood there."""
    assert not {module.name for module in pkgutil.iter_modules(stepfast.__path__)} & {*stepfast.__all__}


def test_what_is_listed_can_be_had() -> None:
    program = (
        "import stepfast, sys; "
        "print({*stepfast.__all__} <= {*dir(stepfast)}, 'stepfast.language.workflows' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "False"]


def drawn() -> dict[str, str | None]:
    """Name and parent of each exception in the picture of the docstring."""
    parents: list[str] = []
    found: dict[str, str | None] = {}
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"^((?:[│ ] {3})*)(?:[├└]── )?([A-Z]\w+)(?: |$)", line):
            depth = len(match[1]) // 4 + (1 if "── " in line else 0)
            parents[depth:] = [match[2]]
            found[match[2]] = parents[depth - 1] if depth else None
    found.pop("Every", None)
    return found


def test_the_hierarchy_is_drawn_as_it_is() -> None:
    parents = {one.__name__: one.__bases__[0] for one in EXCEPTIONS}
    here = {name: parent for name, parent in drawn().items() if name in parents}  # all: test_exception_hierarchy.py
    assert here == {name: None if one is Exception else one.__name__ for name, one in parents.items()}


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_every_exception_has_one_root_and_says_what_it_means(kind: type[BaseException]) -> None:
    assert issubclass(kind, errors.StepfastError)
    assert issubclass(kind, Exception)
    assert kind.__doc__
    assert "__doc__" in vars(kind)


def test_errors_import_nothing_but_the_standard_library() -> None:
    source = inspect.getsource(errors)
    assert re.findall(r"^(?:from|import) (\S+)", source, re.MULTILINE) == ["__future__"]


def test_errors_carry_what_a_caller_needs() -> None:
    failed = errors.StepFailed("charge", "charge#2", "ValueError", "no money", 3)
    assert str(failed) == "step 'charge' failed after 3 attempt(s): ValueError: no money"
    assert (failed.step, failed.step_id, failed.error_type, failed.message, failed.attempts) == (
        "charge",
        "charge#2",
        "ValueError",
        "no money",
        3,
    )
    assert errors.InvalidRequest("x", (("a.b", "missing"),)).fields == (("a.b", "missing"),)
    assert errors.InvalidRequest("x").fields == ()
    assert errors.WrongStatus("x", "RUNNING").status == "RUNNING"
    assert errors.NotStorable("x", ".a").path == ".a"


def test_the_package_says_that_it_is_typed() -> None:
    files = importlib.import_module("importlib.resources").files("stepfast")
    assert (files / "py.typed").is_file()
