"""pydantic that a function imports with less work answers as pydantic does."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import json, dataclasses, typing, pydantic
from pydantic import AliasChoices, BaseModel, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import core_schema
import annotated_types as at, typing_extensions

class Order(BaseModel):
    id: typing.Annotated[str, StringConstraints(min_length=2)]
    size: typing.Annotated[int, at.Interval(gt=0, lt=9)] = Field(1, validation_alias=AliasChoices("size", "s"))

class Typed(typing_extensions.TypedDict, total=False):
    a: int

def refused(value):
    try:
        return repr(Order.model_validate(value))
    except ValidationError as error:
        return error.errors(include_url=False, include_context=False)

print(json.dumps([
    refused({"id": "ab", "s": 3}), refused({"id": "a", "size": 9}), Order.model_json_schema(),
    TypeAdapter(Typed).json_schema(), repr(at.Ge(1)), at.Ge(1) == at.Ge(1), hash(at.Gt(2)) == hash(at.Gt(2)),
    repr(StringConstraints(min_length=2)), core_schema.int_schema(ge=1), core_schema.StringSchema(type="str"),
    sorted(core_schema.StringSchema.__annotations__), core_schema.StringSchema.__total__,
    typing_extensions.is_typeddict(Typed), dataclasses.dataclass.__module__,
]))
"""


def said(first: str) -> str:
    done = subprocess.run([sys.executable, "-c", first + PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pydantic_in_a_function_is_the_same() -> None:
    quick = "import stepfast.functions.quick_pydantic as quick\nimport pydantic_core.core_schema as schema\n"
    quick += "assert type(schema.StringSchema) is quick._Described\n"
    assert said(quick) == said("")


def test_pydantic_that_is_imported_already_is_left_alone() -> None:
    left = "import pydantic_core.core_schema as schema\nbefore = schema.StringSchema\n"
    left += "import stepfast.functions.quick_pydantic\nassert schema.StringSchema is before\n"
    assert said(left) == said("")


def test_pydantic_that_cannot_be_imported_in_the_quick_way_is_imported_as_usual() -> None:
    failing = "import stepfast.records as records\ndef fail(*args, **options): raise TypeError('unknown option')\n"
    failing += "kept, records.dataclass = records.dataclass, fail\nimport stepfast.functions.quick_pydantic\n"
    failing += "records.dataclass = kept\nimport pydantic_core.core_schema as schema\n"
    failing += "assert 'Described' not in type(schema.StringSchema).__name__\n"
    assert said(failing) == said("")
