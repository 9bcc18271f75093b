"""The HTTP API against its own OpenAPI: whatever is asked, no 5xx, no hang, and answers as they are described."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.lanes import examples
from tests.local.dev_process import Dev

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

EXAMPLES = examples(15)
"""Requests to each operation in each mode."""
HANG = 15.0
STRICTER: Any = [positive_data_acceptance, negative_data_rejection]
"""Checks that want a schema to say everything: ours says 422 for what it cannot say, such as two fields that differ."""

CODE = """
from stepfast import Retry, signal, step, workflow

@step(retry=Retry(max_attempts=1))
async def fail(n: int) -> int:
    raise ConnectionError("down")

@workflow("waits")
async def waits(value: object = None) -> object:
    return await signal("go")

@workflow("fails")
async def fails(n: int) -> int:
    return await fail(n)
"""


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    folder: Path = tmp_path_factory.mktemp("schema")
    (folder / "workflows").mkdir()
    (folder / "workflows" / "made.py").write_text(CODE)
    made = Dev(folder).start("--durability", "process")
    for id, name in (("waits", "waits"), ("fails", "fails")):
        assert made.run(name, 1, id).status_code == 201
    yield made
    _, told = made.end()
    made.http.close()
    assert "Traceback" not in told, told


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_as_described(dev: Dev, mode: GenerationMode) -> None:
    """Requests as described (positive) and not as described (negative), to every operation."""
    schema = schemathesis.openapi.from_url(f"{dev.http.base_url}/openapi.json")
    failed: list[str] = []
    operations = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    for operation in operations:

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(timeout=HANG, excluded_checks=STRICTER)

        try:
            ask()
        except Unsatisfiable:
            pass  # nothing can be wrong in a request without parts
        except BaseExceptionGroup as error:
            failed.append(f"{operation.label}: {error}")
    assert len(operations) > 10
    assert not failed, "\n".join(failed)
