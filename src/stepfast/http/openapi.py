"""The OpenAPI 3.1 document of the routes."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

from stepfast.http.resolver import Resolver

DESCRIPTION = "Start, watch, resume and signal durable executions. Times are UTC; errors are RFC 9457 problems."


NOT_ADMITTED = {
    "401": "an API key is needed",
    "403": "the API key lacks the scope; without keys: not from this machine",
}
WITH_A_BODY = {"400": "the body is not JSON", "413": "the body is too large", "415": "the body is not declared as JSON"}
"""Problems that a request can get before it reaches a route."""


ANY_VALUE = {"$ref": "#/components/schemas/Json"}
JSON_VALUE = {
    "title": "Json",
    "description": "Any JSON value.",
    "anyOf": [
        *({"type": kind} for kind in ("null", "boolean", "number", "string")),
        {"type": "array", "items": ANY_VALUE},
        {"type": "object", "additionalProperties": ANY_VALUE},
    ],
}


def document(app: Resolver) -> str:
    """The document as JSON text, without the schemas that Powertools 3.37 adds and no route uses."""
    text = app.get_openapi_json_schema(title="stepfast", version=version("stepfast"), description=DESCRIPTION)
    schema: dict[str, Any] = json.loads(text)
    for unused in ("HTTPValidationError", "ValidationError", "ResponseValidationError"):
        schema["components"]["schemas"].pop(unused, None)
    schema["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    }
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            scope = app.scopes[path, method.upper()]
            # The empty requirement stands for a server on loopback, which may run without keys.
            operation["security"] = [{"bearer": [scope]}, {"key": [scope]}, {}] if scope else []
            _describe_refusals(operation)
            operation["responses"].get("304", {}).pop("content", None)  # Powertools declares a body for every status
    schemas = schema["components"]["schemas"]
    for each in schemas.values():
        _name_json(each)
    schemas["Json"] = JSON_VALUE
    return json.dumps(schema)


def _name_json(schema: Any) -> None:
    """Says `Json` wherever a schema takes any value: generated clients then have a type for it, and not an unknown."""
    if isinstance(schema, list):
        for part in schema:
            _name_json(part)
    if not isinstance(schema, dict):
        return
    bare = schema.get("type") == "object" and not schema.keys() & {"properties", "additionalProperties"}
    if bare or schema.get("additionalProperties") is True:
        schema["additionalProperties"] = dict(ANY_VALUE)
    for name, part in schema.get("properties", {}).items():
        if part.keys() <= {"title", "description", "default"}:
            schema["properties"][name] = {**part, **ANY_VALUE}
    for name in ("properties", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            for part in [schema[name], *schema[name].values()]:
                _name_json(part)
    for name in ("items", "anyOf", "oneOf", "allOf", "prefixItems"):
        _name_json(schema.get(name))


def _describe_refusals(operation: dict[str, Any]) -> None:
    refusals = {**NOT_ADMITTED, **(WITH_A_BODY if "requestBody" in operation else {})}
    for status, text in refusals.items():
        operation["responses"][status] = {**operation["responses"]["503"], "description": text}
