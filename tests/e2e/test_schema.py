"""The deployed API against its own OpenAPI: whatever is asked, no 5xx."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from requests.adapters import HTTPAdapter
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from urllib3 import Retry

from tests.e2e.conftest import Deployed
from tests.e2e.emulator import CONNECTS
from tests.lanes import examples

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

EXAMPLES = examples(3)
"""Requests to each operation in each mode; tests/properties asks far more, of the same API without a gateway."""


def connected() -> requests.Session:
    """One connection for many requests; where it breaks, the request is made again on a new one.

    An input that breaks the connection each time is still a failure.
    """
    session = requests.Session()
    session.mount("https://", HTTPAdapter(max_retries=Retry(CONNECTS, allowed_methods=None, backoff_factor=0.5)))
    return session


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_input_makes_the_deployed_api_fail(deployed: Deployed, mode: GenerationMode) -> None:
    described = deployed.http.get("/openapi.json").raise_for_status().json()
    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=str(deployed.http.base_url).rstrip("/"))
    headers = {"Authorization": deployed.http.headers["Authorization"]}
    session = connected()
    operations = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    assert len(operations) > 10
    failed: list[str] = []
    for operation in operations:

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case[Any]) -> None:
            answer = case.call(session=session, headers=headers, verify=deployed.emulator.certificate, timeout=30)
            case.validate_response(answer, checks=[not_a_server_error])

        try:
            ask()
        except Unsatisfiable:
            pass  # nothing can be wrong in a request without parts
        except BaseExceptionGroup as error:
            failed.append(f"{operation.label}: {error.exceptions}")
        except AssertionError as error:
            failed.append(f"{operation.label}: {error}")
    assert not failed, "\n".join(failed)
