"""What the queries and updates of an execution take and answer, as JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stepfast.engine.updating import RegisteredHandlers
from stepfast.errors import DefinitionError
from stepfast.http import views
from stepfast.http.update_models import HandlerSchemas, HandlersView, SchemasOfHandlers
from stepfast.language.handlers import AskedFunction
from stepfast.values.codec import Codec


def handlers(registered: RegisteredHandlers) -> HandlersView:
    return HandlersView(
        queries=list(registered.queries),
        updates=list(registered.updates),
        schemas=SchemasOfHandlers(queries=_schemas(registered.queries), updates=_schemas(registered.updates)),
    )


def _schemas(functions: Mapping[str, AskedFunction]) -> dict[str, HandlerSchemas]:
    return {
        name: HandlerSchemas(
            payload_schema=_schema(function, lambda asked: asked.payload),
            result_schema=_schema(function, lambda asked: asked.result),
        )
        for name, function in functions.items()
    }


def _schema(function: AskedFunction, codec_of: Callable[[AskedFunction], Codec]) -> dict[str, Any] | None:
    """None for an annotation that has no JSON form: only calls of this function fail, and not the list of all."""
    try:
        return views.schema(codec_of(function))
    except DefinitionError:
        return None
