"""What queries and updates take and answer, in a line of text each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from stepfast.cli import printing
from stepfast.client.execution import Execution
from stepfast.errors import InvalidRequest, StepfastError

_LISTED_CHARS, _WHOLE_CHARS = 300, 4000
"""Characters of a schema in a list, and of the one schema that explains an error. `--json` prints all."""
Kind = Literal["queries", "updates"]


def say_handlers(handlers: Mapping[str, Any]) -> None:
    """Prints the names and, below them, what each one takes and answers."""
    for kind in ("queries", "updates"):
        printing.say(f"{kind}: {', '.join(handlers[kind]) or 'none'}")
        for name, schemas in handlers.get("schemas", {}).get(kind, {}).items():
            takes = _described(schemas["payload_schema"], _LISTED_CHARS, "no payload")
            printing.say(
                f"  {name} takes {takes}; answers {_described(schemas['result_schema'], _LISTED_CHARS, 'null')}"
            )


@contextlib.contextmanager
def saying_what_it_takes(execution: Execution[Any], kind: Kind, name: str) -> Iterator[None]:
    """Prints the schema of the payload on standard error if the payload is refused. The error goes on."""
    try:
        yield
    except InvalidRequest as error:
        if any(field.split(".")[0].split("[")[0] == "payload" for field, _ in error.fields):
            _note_payload(execution, kind, name)
        raise


def _note_payload(execution: Execution[Any], kind: Kind, name: str) -> None:
    try:
        schemas = execution.handlers().get("schemas", {}).get(kind, {}).get(name)
    except StepfastError:  # the refusal of the payload is what matters
        return
    if schemas is not None:
        printing.note(f"{name} takes {_described(schemas['payload_schema'], _WHOLE_CHARS, 'no payload')}")


def _described(schema: Mapping[str, Any] | None, limit: int, nothing: str) -> str:
    if schema is None:
        return "a type that has no JSON form"
    if schema == {"type": "null"}:
        return nothing
    return printing.short_json(schema, limit) if schema else "any JSON"
