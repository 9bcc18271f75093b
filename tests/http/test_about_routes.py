"""GET /v1/workflows, /v1/health and /openapi.json."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel

from stepfast import Retry, step, workflow
from stepfast.http.models import Health
from stepfast.http.workflow_models import WorkflowList
from tests.http.serving import Api, event


class Ask(BaseModel):
    year: int
    name: str = "x"


@step(
    pool="pdf",
    timeout=12,
    heartbeat=3,
    retry=Retry(max_attempts=7, max_delay=90, give_up_on=(ValueError,), max_elapsed=60),
)
def render(year: int) -> bytes:
    """
    Renders it.

    At length.
    """
    return b""


@step(at_most_once=True)
def plain() -> None: ...


@workflow("b-report")
async def report(ask: Ask) -> list[int]:
    """Makes a report.

    With everything.
    """
    await render(ask.year)
    await plain()
    return []


@workflow("a-empty")
async def empty() -> None: ...


def test_workflows_tell_their_schemas_steps_and_policies(serve: Any) -> None:
    answer = serve(report, empty, steps=[render, plain]).get("/v1/workflows")
    WorkflowList.model_validate(answer, strict=True)
    first, second = answer["workflows"]
    assert (first["name"], first["description"], first["input_schema"]) == ("a-empty", "", {"type": "null"})
    assert (second["name"], second["description"]) == ("b-report", "Makes a report.")
    assert (first["documentation"], second["documentation"]) == ("", "Makes a report.\n\nWith everything.")
    assert second["input_schema"]["required"] == ["year"]
    assert second["result_schema"] == {"type": "array", "items": {"type": "integer"}}
    assert second["steps"][0] == {
        "name": "render",
        "pool": "pdf",
        "timeout": 12.0,
        "heartbeat": 3.0,
        "at_most_once": False,
        "description": "Renders it.",
        "retry": {
            "max_attempts": 7,
            "initial": 1.0,
            "backoff": 2.0,
            "max_delay": 90.0,
            "jitter": "full",
            "max_elapsed": 60.0,
            "retry_on": ["Exception"],
            "give_up_on": ["ValueError"],
        },
    }
    assert [step["at_most_once"] for step in second["steps"]] == [False, True]
    assert first["steps"] == []  # though its module has some


def test_health_tells_the_version(serve: Any) -> None:
    answer = serve(empty).get("/v1/health")
    Health.model_validate(answer, strict=True)
    assert answer == {"status": "ok", "version": version("stepfast")}


# -- OpenAPI --------------------------------------------------------------------------------------------

ROUTES = {
    ("post", "/v1/workflows/{workflow}/executions"): {"200", "201", "404", "409", "422", "503"},
    ("get", "/v1/executions"): {"200", "404", "422", "503"},
    ("post", "/v1/executions/batch"): {"200", "422", "503"},
    ("post", "/v1/executions/statuses"): {"200", "422", "503"},
    ("get", "/v1/executions/{execution_id}"): {"200", "304", "404", "422", "503"},
    ("get", "/v1/executions/{execution_id}/commands"): {"200", "304", "404", "422", "503"},
    ("get", "/v1/executions/{execution_id}/items"): {"200", "404", "422", "503"},
    ("get", "/v1/executions/{execution_id}/runs"): {"200", "404", "422", "503"},
    ("get", "/v1/executions/{execution_id}/recording"): {"200", "404", "422", "503"},
    ("get", "/v1/executions/{execution_id}/recording/value"): {"200", "404", "422", "503"},
    ("get", "/v1/executions/{execution_id}/waits"): {"200", "404", "422", "503"},
    ("get", "/v1/executions/{execution_id}/links"): {"200", "404", "422", "503"},
    ("get", "/v1/link-keys"): {"200", "422", "503"},
    ("post", "/v1/link-keys/rotate"): {"200", "422", "503"},
    ("get", "/v1/executions/{execution_id}/events"): {"200", "404", "422", "503"},
    ("get", "/v1/executions/{execution_id}/history"): {"200", "404", "422", "503"},
    ("post", "/v1/executions/{execution_id}/resume"): {"200", "404", "409", "422", "503"},
    ("post", "/v1/executions/{execution_id}/fork"): {"200", "201", "404", "409", "422", "503"},
    ("post", "/v1/executions/{execution_id}/commands/{command}/repair"): {"200", "404", "409", "422", "503"},
    ("post", "/v1/executions/{execution_id}/cancel"): {"200", "404", "409", "422", "503"},
    ("post", "/v1/executions/{execution_id}/pause"): {"200", "404", "409", "422", "503"},
    ("post", "/v1/executions/{execution_id}/unpause"): {"200", "404", "409", "422", "503"},
    ("post", "/v1/executions/{execution_id}/close"): {"200", "404", "409", "422", "503"},
    ("post", "/v1/executions/{execution_id}/reopen"): {"200", "404", "409", "422", "503"},
    ("post", "/v1/executions/{execution_id}/terminate"): {"200", "404", "409", "422", "503"},
    ("delete", "/v1/executions/{execution_id}"): {"200", "404", "409", "422", "503"},
    ("post", "/v1/executions/{execution_id}/signals/{name}"): {"200", "202", "404", "409", "422", "503"},
    ("get", "/v1/executions/{execution_id}/handlers"): {"200", "404", "422", "503"},
    ("post", "/v1/executions/{execution_id}/queries/{name}"): {"200", "404", "422", "503"},
    ("post", "/v1/executions/{execution_id}/updates/{name}"): {"200", "202", "404", "409", "422", "503"},
    ("get", "/v1/executions/{execution_id}/updates/{update_id}"): {"200", "202", "404", "422", "503"},
    ("get", "/v1/dead-letters"): {"200", "422", "503"},
    ("get", "/v1/dead-letters/groups"): {"200", "422", "503"},
    ("post", "/v1/dead-letters/replay"): {"200", "422", "503"},
    ("get", "/v1/workflows"): {"200", "422", "503"},
    ("get", "/v1/workflows/{workflow}/figures"): {"200", "404", "422", "503"},
    ("get", "/v1/limits"): {"200", "422", "503"},
    ("get", "/v1/limits/{name}"): {"200", "404", "422", "503"},
    ("put", "/v1/limits/{name}"): {"200", "404", "422", "503"},
    ("delete", "/v1/limits/{name}"): {"200", "404", "422", "503"},
    ("get", "/v1/gates"): {"200", "404", "422", "503"},
    ("post", "/v1/gates/{name}/close"): {"200", "404", "422", "503"},
    ("post", "/v1/gates/{name}/open"): {"200", "404", "422", "503"},
    ("post", "/v1/workflows/{workflow}/pause"): {"200", "404", "422", "503"},
    ("post", "/v1/workflows/{workflow}/unpause"): {"200", "404", "422", "503"},
    ("get", "/v1/schedules"): {"200", "422", "503"},
    ("get", "/v1/schedules/{name}"): {"200", "404", "422", "503"},
    ("post", "/v1/schedules/{name}/pause"): {"200", "404", "422", "503"},
    ("post", "/v1/schedules/{name}/unpause"): {"200", "404", "422", "503"},
    ("post", "/v1/schedules/{name}/trigger"): {"200", "404", "422", "503"},
    ("post", "/v1/schedules/{name}/backfill"): {"200", "404", "422", "503"},
    ("get", "/v1/audit"): {"200", "422", "503"},
    ("get", "/v1/webhooks"): {"200", "422", "503"},
    ("get", "/v1/webhooks/{name}"): {"200", "404", "422", "503"},
    ("get", "/v1/webhooks/{name}/dead-letters"): {"200", "404", "422", "503"},
    ("post", "/v1/webhooks/{name}/redeliver"): {"200", "404", "422", "503"},
    ("post", "/v1/jobs"): {"200", "201", "409", "422", "503"},
    ("get", "/v1/jobs"): {"200", "422", "503"},
    ("get", "/v1/jobs/{execution_id}"): {"200", "404", "422", "503"},
    ("get", "/v1/jobs/{execution_id}/report"): {"200", "404", "422", "503"},
    ("post", "/v1/jobs/{execution_id}/stop"): {"200", "404", "422", "503"},
    ("get", "/v1/health"): {"200", "422", "503"},
}
NOT_ADMITTED = {"401", "403"}
NOT_READ = {"400", "413", "415"}


def operations(document: Any) -> dict[tuple[str, str], Any]:
    return {(method, path): operation for path, item in document["paths"].items() for method, operation in item.items()}


def test_every_route_and_its_answers_are_described(serve: Any) -> None:
    document = serve(report).get("/openapi.json")
    assert document["openapi"].startswith("3.1")
    for route, operation in operations(document).items():
        before_the_route = NOT_ADMITTED | (NOT_READ if "requestBody" in operation else set())
        assert set(operation["responses"]) == ROUTES[route] | before_the_route
    assert operations(document).keys() == ROUTES.keys()
    for operation in operations(document).values():
        for status, response in operation["responses"].items():
            if status == "304":
                assert "content" not in response
                continue
            kind = "application/json" if status < "300" else "application/problem+json"
            assert list(response["content"]) == [kind]
            assert "$ref" in response["content"][kind]["schema"]


def test_parameters_and_bodies_are_described(serve: Any) -> None:
    document = serve(report).get("/openapi.json")
    for (method, path), operation in operations(document).items():
        described = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
        assert described == set(re.findall(r"{(\w+)}", path))
        needs_body = method in ("post", "put") and not path.endswith("schedules/{name}/unpause")
        assert ("requestBody" in operation) == needs_body
    listing = document["paths"]["/v1/executions"]["get"]["parameters"]
    assert " ".join(sorted(parameter["name"] for parameter in listing)) == (
        "contains cursor label largest limit parent prefix roots since status total until workflow"
    )
    show = document["paths"]["/v1/executions/{execution_id}"]["get"]
    assert ("if-none-match", "header") in {(parameter["name"], parameter["in"]) for parameter in show["parameters"]}
    assert "ETag" in show["responses"]["200"]["headers"]
    start = document["paths"]["/v1/workflows/{workflow}/executions"]["post"]
    assert ("idempotency-key", "header") in {(parameter["name"], parameter["in"]) for parameter in start["parameters"]}
    assert len({operation["operationId"] for operation in operations(document).values()}) == len(ROUTES)


def test_every_reference_leads_to_a_schema_and_every_schema_is_used(serve: Any) -> None:
    api: Api = serve(report)
    response = api.handler(event("GET", "/openapi.json"), None)
    used = set(re.findall(r'"#/components/schemas/(\w+)"', response["body"]))
    assert used == set(api.get("/openapi.json")["components"]["schemas"])
