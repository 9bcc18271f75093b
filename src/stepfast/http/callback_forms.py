"""The form behind an answer link: fields made of the JSON Schema of the answer's type, and what was filled in. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from stepfast.errors import InvalidRequest
from stepfast.records import dataclass

Object = dict[str, Any]
MOST_FORM_FIELDS = 20
WHOLE = "answer"
"""The name of the only field of an answer that is no model."""
_TRUE_FALSE: list[tuple[str, Any]] = [("Yes", True), ("No", False)]


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of the form.

    key: the property of the answer; "" where the field is the whole answer. choices: labels and their values, of a
    field that is chosen. optional: whether it may be left empty. empty: the value of an empty field, if it has one.
    """

    name: str
    key: str
    label: str
    help: str
    kind: Literal["choice", "text", "long", "number", "whole", "date", "json"]
    choices: Sequence[tuple[str, Any]] = ()
    optional: bool = False
    nullable: bool = False
    longest: int | None = None
    default: Any = None


@dataclass(frozen=True, slots=True)
class Form:
    """A form for an answer. about: what the type says about itself, in its docstring."""

    fields: Sequence[FormField]
    about: str = ""

    def read(self, sent: Mapping[str, str]) -> Any:
        """The answer that was filled in, as JSON values. Raises InvalidRequest for a text that is no such value."""
        if len(self.fields) == 1 and self.fields[0].key == "":
            return _value(self.fields[0], sent.get(self.fields[0].name, ""))
        answer: Object = {}
        for field in self.fields:
            text = sent.get(field.name, "")
            if text == "" and (field.optional or field.nullable):
                if not field.optional:
                    answer[field.key] = None
                continue
            answer[field.key] = _value(field, text)
        return answer


def form_of(schema: Mapping[str, Any]) -> Form:
    """The form for a JSON Schema. Values of other types are filled in as JSON."""
    definitions = schema.get("$defs", {})
    whole = _resolved(schema, definitions)
    about = str(whole.get("description") or "")
    properties = whole.get("properties")
    if whole.get("type") == "object" and isinstance(properties, dict) and 0 < len(properties) <= MOST_FORM_FIELDS:
        required = set(whole.get("required", ()))
        fields = [
            _field(f"field.{key}", key, _resolved(of, definitions), definitions, optional=key not in required)
            for key, of in properties.items()
        ]
        return Form(fields, about)
    return Form([_field(WHOLE, "", whole, definitions, optional=False)], about)


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Object:
    """The schema with its reference replaced by what it refers to; its own title and description win."""
    reference = schema.get("$ref")
    if reference is None and len(schema.get("allOf", ())) == 1:
        reference = schema["allOf"][0].get("$ref")
    if not isinstance(reference, str):
        return dict(schema)
    target = definitions.get(reference.rpartition("/")[2], {})
    return {**target, **{name: value for name, value in schema.items() if name not in ("$ref", "allOf", "$defs")}}


def _field(name: str, key: str, schema: Object, definitions: Mapping[str, Any], *, optional: bool) -> FormField:
    nullable = False
    options = schema.get("anyOf")
    if isinstance(options, list):
        others = [option for option in options if option.get("type") != "null"]
        nullable = len(others) < len(options)
        if len(others) == 1:
            schema = {**_resolved(others[0], definitions), **{k: v for k, v in schema.items() if k != "anyOf"}}
    label = str(schema.get("title") or key or "Your answer")
    text = str(schema.get("description") or "") if key else ""
    kind, choices = _kind(schema)
    return FormField(
        name, key, label, text, kind, choices, optional, nullable, schema.get("maxLength"), schema.get("default")
    )


def _kind(
    schema: Object,
) -> tuple[Literal["choice", "text", "long", "number", "whole", "date", "json"], Sequence[tuple[str, Any]]]:
    if isinstance(schema.get("enum"), list):
        return "choice", [(_label(value), value) for value in schema["enum"]]
    if "const" in schema:
        return "choice", [(_label(schema["const"]), schema["const"])]
    match schema.get("type"):
        case "boolean":
            return "choice", _TRUE_FALSE
        case "string" if schema.get("format") == "date":
            return "date", ()
        case "string":
            return ("long" if schema.get("maxLength", 0) > 200 else "text"), ()
        case "integer":
            return "whole", ()
        case "number":
            return "number", ()
    return "json", ()


def _label(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _value(field: FormField, text: str) -> Any:
    wrong = "must be filled in" if text == "" and field.kind != "text" else ""
    if not wrong:
        try:
            match field.kind:
                case "choice":
                    # int() takes signs and spaces, and a negative index would choose from the end.
                    number = int(text) if text.isascii() and text.isdigit() else len(field.choices)
                    if number < len(field.choices):
                        return field.choices[number][1]
                    wrong = "is none of the choices"
                case "whole":
                    return int(text)
                case "number":
                    return json.loads(text)
                case "json":
                    return json.loads(text)
                case _:
                    return text
        except ValueError:
            wrong = "is no number" if field.kind in ("whole", "number") else "is no JSON"
    raise InvalidRequest(f"{field.label}: {wrong}", ((field.key, wrong),))
