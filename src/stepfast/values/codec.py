"""Typed values to JSON text and back, by pydantic, and only when nothing is lost on the way.

Workflow code always sees the decoded text, in the first run as in every replay.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable
from functools import cached_property
from typing import Any, Never, NoReturn, TypeVar

import pydantic
from pydantic.errors import PydanticUserError
from pydantic_core import (
    PydanticSerializationError,
    SchemaSerializer,
    SchemaValidator,
    ValidationError,
    from_json,
)

from stepfast.error_text import message_of
from stepfast.errors import DefinitionError, InvalidRequest, NotStorable, StepfastError
from stepfast.values import schemas, unset
from stepfast.values.compare import exact, is_plain_json
from stepfast.values.diff import (
    LONGEST_MESSAGE_CHARS,
    equal_or_false,
    first_difference,
    first_narrowing,
    not_finite,
    path_of,
    shorten,
    unserializable,
)
from stepfast.values.flat import flat_text
from stepfast.values.sameness import canonical, fingerprint, without

T = TypeVar("T")
UNTYPED = inspect.Parameter.empty
"""Stands for a missing annotation; its codec takes plain JSON values."""
SHORT_TEXT_CHARS = 500
"""Characters. Up to this length, one call into pydantic is faster than two."""
LARGE_TEXT_CHARS = 1_000_000
"""Characters. From this length on, the first wrong item of a list ends its validation."""
FEW_ERRORS = 1000
"""Up to this number, pydantic describes all errors of a validation at once; it has no way to describe some."""
TOO_MANY_ERRORS = 100_000
"""Beyond this number, errors are counted and not described."""


def digest(text: str) -> str:
    """64 bits of SHA-256 in hex, enough to tell two inputs of a command apart. Marks of unset fields are left out."""
    return hashlib.sha256(unset.unmarked(text).encode()).hexdigest()[:16]


class Codec:
    """Encodes and decodes values of a type. It is built on first use, since annotations may refer to later names.

    `where` begins every error text, and names the step or workflow and the value: "step 'charge': result".
    """

    def __init__(self, annotation: Any, where: str) -> None:
        self._annotation: Any = annotation
        if annotation is Never or annotation is NoReturn:  # a step that only ever raises
            self._annotation = None
        self.where = where

    # -- validators and serializers, built on first use ----------------------------------------------------

    @cached_property
    def adapter(self) -> pydantic.TypeAdapter[Any]:
        """The pydantic adapter. Raises DefinitionError for a type that pydantic cannot describe."""
        try:
            # Named through the module, since pydantic imports its types on first access, which is slow.
            adapter = pydantic.TypeAdapter(pydantic.JsonValue if self._annotation is UNTYPED else self._annotation)
            adapter.rebuild(raise_errors=True)  # else an undefined name raises only on first use
            return adapter
        except (PydanticUserError, NameError, TypeError) as error:
            reason = str(error).splitlines()[0].partition(". Set `arbitrary_types_allowed")[0]
            raise DefinitionError(f"{self.where}: {self._annotation!r} has no JSON form: {reason}") from error

    @cached_property
    def _schema(self) -> Any:
        return schemas.stored(self.adapter.core_schema)

    @cached_property
    def _validator(self) -> SchemaValidator:
        return _build_validator(self._schema)

    @cached_property
    def _fast_validator(self) -> SchemaValidator:
        return _build_validator(schemas.failing_fast(self._schema))

    @cached_property
    def _storing_validator(self) -> SchemaValidator:
        # A TypedDict may hold keys that its type does not name. Reading ignores them, but storing must not drop them.
        if not schemas.mentions(self._schema, {"typed-dict"}):
            return self._validator
        return _build_validator(schemas.closed(self._schema))

    @cached_property
    def _counting_validator(self) -> tuple[SchemaValidator, schemas.Budget]:
        budget = schemas.Budget()
        return _build_validator(schemas.counting(self._schema, budget)), budget

    @cached_property
    def _serializer(self) -> SchemaSerializer:
        # By default pydantic-core reuses the serializer of a model class, which ignores schemas.CONFIG. The private
        # argument _use_prebuilt turns that off (pydantic-core 2.50, https://github.com/pydantic/pydantic-core).
        return SchemaSerializer(self._schema, schemas.CONFIG, _use_prebuilt=False)  # type: ignore[arg-type]

    @cached_property
    def _is_json(self) -> bool:
        return schemas.is_json(self._schema)

    @cached_property
    def _has_models(self) -> bool:
        return schemas.mentions(self._schema, {"model"})

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of what `decode` accepts."""
        return self.adapter.json_schema()

    # -- writing -------------------------------------------------------------------------------------------

    def text(self, value: Any) -> str:
        """JSON text of a value, which `decode` turns into an equal value, in type and behaviour.

        Raises NotStorable, with the path of the field, for a value of the wrong type, and for a value that would come
        back as another: NaN, open files, a datetime in a named zone, a date in `date | str`.
        """
        try:
            valid = self._valid(value)
            if not self._is_json:
                return self._check_round_trip(value, valid, self._serialize(valid))[0]
            brief = flat_text(value, valid)
            return self._json_text(value, valid) if brief is None else brief
        except StepfastError:
            raise
        except Exception as error:  # a custom validator or serializer may raise anything
            raise self._refusal(error) from error

    def encode(self, value: Any) -> tuple[str, Any]:
        """The text of a value, as from `text`, and the value decoded from it. Raises NotStorable."""
        return self._or_not_storable(value, self._encode)

    def stored(self, sent: str) -> str:
        """The text to store for JSON that a client sent. Raises InvalidRequest as `decode` does, and NotStorable."""
        valid = self.decode(sent)
        return self._or_not_storable(
            valid, lambda value: self._check_round_trip(value, value, self._serialize(value))[0]
        )

    def sendable(self, value: Any) -> Any:
        """Plain JSON values which, sent as JSON, `decode` turns into an equal value. Raises NotStorable.

        Fields that were not set are left out, unless decoding would give them another value, as a default factory does.
        """
        text, back = self.encode(value)
        if unset.marks_in(text) is not None:
            brief = self._serializer.to_json(back, round_trip=True, by_alias=False, exclude_unset=True)
            try:
                if exact(self._read(brief.decode()), back):
                    return json.loads(brief)
            except ValueError:  # for instance, the discriminator of a union was not set
                pass
        return json.loads(text)

    def _or_not_storable(self, value: Any, work: Callable[[Any], T]) -> T:
        try:
            return work(value)
        except StepfastError:
            raise
        except Exception as error:  # a custom validator or serializer may raise anything
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> NotStorable:
        nested = isinstance(error, RecursionError)
        reason = "it is nested too deeply or in itself" if nested else _describe_error(error)
        return NotStorable(f"{self.where} cannot be stored as JSON: {reason}")

    def _json_text(self, value: Any, valid: Any) -> str:
        text = self._serialize(valid)
        if is_plain_json(valid) and (value is valid or exact(value, valid)):
            return text  # plain JSON values come back unchanged
        return self._check_round_trip(value, valid, text)[0]

    def _encode(self, value: Any) -> tuple[str, Any]:
        valid = self._valid(value)
        return self._check_round_trip(value, valid, self._serialize(valid))

    def _valid(self, value: Any) -> Any:
        try:
            return self._storing_validator.validate_python(value)
        except ValidationError as error:
            raise self._not_storable_error(error, value) from error

    def _serialize(self, valid: Any) -> str:
        try:
            raw = self._serializer.to_json(valid, round_trip=True, by_alias=False, warnings="error")
        except (PydanticSerializationError, ValueError) as error:
            where = unserializable(valid)
            raise NotStorable(f"{self.where}{where} cannot be stored as JSON: {_first_line(error)}", where) from error
        if (b"NaN" in raw or b"Infinity" in raw) and (path := not_finite(from_json(raw))) is not None:
            raise NotStorable(
                f"{self.where}{path} cannot be stored as JSON: not a finite number; use None or a Decimal",
                path,
            )
        return raw.decode()

    def _check_round_trip(self, value: Any, valid: Any, text: str) -> tuple[str, Any]:
        """The text with its marks, and the value read back from it. Raises NotStorable if the two values differ."""
        marks = unset.marks_of(valid) if self._has_models else None
        if marks is not None:
            text = unset.marked(text, marks)
        try:
            back = self._read(text)
        except ValidationError as error:
            raise self._not_storable_error(error, valid) from error
        if not exact(value, back):
            lost = first_difference(valid, back) or (None if value is valid else first_narrowing(value, valid))
            if lost is not None:
                path, change = lost
                raise NotStorable(
                    f"{self.where}{path} would come back from JSON as another value or type ({change}); give it an "
                    "exact type (a model, or a union with a discriminator), or convert it before",
                    path,
                )
        return text, back

    # -- reading -------------------------------------------------------------------------------------------

    def decode(self, text: str) -> Any:
        """The value of a JSON text.

        Raises InvalidRequest, which names the fields that do not fit, 100 at most, and says how many there are.
        """
        try:
            return self._read(text)
        except ValidationError as error:
            raise self._invalid_request_error(error, text) from error
        except Exception as error:  # a custom validator may raise anything
            raise InvalidRequest(f"{self.where}: {_describe_error(error)}", (("", _describe_error(error)),)) from error

    def _read(self, text: str) -> Any:
        validator = self._validator
        if (size := len(text)) > SHORT_TEXT_CHARS:
            if self._is_json:
                try:  # from_json, then validate_python, takes half the time of validate_json
                    return validator.validate_python(from_json(text), by_alias=True, by_name=True)
                except ValueError:  # the validator below raises with all details
                    pass
            if size >= LARGE_TEXT_CHARS:
                validator = self._fast_validator
        value = validator.validate_json(text, by_alias=True, by_name=True)
        if text[-1:] <= " " and (marks := unset.marks_in(text)) is not None:
            unset.apply(marks, value)
        return value

    # -- comparing -----------------------------------------------------------------------------------------

    def same(self, left: str, right: str) -> bool:
        """True when two texts mean the same value; a field added with a default makes no difference.

        Which fields were set makes no difference either, since texts of version 0.1 do not say that.
        """
        left, right = unset.unmarked(left), unset.unmarked(right)
        if left == right:
            return True
        try:
            left_value, right_value = self.decode(left), self.decode(right)
            return equal_or_false(left_value, right_value) or self.text(left_value) == self.text(right_value)
        except (InvalidRequest, NotStorable):
            return False

    @cached_property
    def _without_factories(self) -> SchemaValidator:
        return _build_validator(schemas.without_factories(self._schema))

    def sent(self, text: str) -> str:
        """A fingerprint of the JSON that a client sent, by which `same_start` recognizes a repeated request.

        It holds two fingerprints: that of the JSON, whatever the order of its keys and the form of its numbers, and
        that of the validated value before any default factory runs.
        """
        plain = fingerprint(text)
        return f"{plain} {self._normal_fingerprint(text, plain)}".rstrip()

    def _normal_fingerprint(self, text: str, plain: str) -> str:
        if self._is_json and not schemas.mentions(self._schema, {"int", "float", "bool", "str", "typed-dict"}):
            return ""  # validation cannot change such a value
        normal = self._normal(text)
        if normal is None:
            return ""
        return plain if normal == text else fingerprint(normal)

    def _normal(self, text: str) -> str | None:
        try:
            valid = self._without_factories.validate_json(text, by_alias=True, by_name=True)
            return self._serializer.to_json(valid, round_trip=True, by_alias=False, warnings=False).decode()
        except Exception:  # a custom validator may need the value of the factory
            return None

    def same_start(self, held: str, held_sent: str | None, text: str) -> bool:
        """True when the value with the stored text `held` was made from the sent `text`.

        held_sent: the result of `sent` at that time. It is None for a value stored by version 0.1, and then parts that
        a default factory made are left out of the comparison.
        """
        if held_sent is not None:
            left, right = held_sent.split(), self.sent(text).split()
            return left[0] == right[0] or (len(left) == len(right) == 2 and left[1] == right[1])
        normal = self._normal(text)
        if normal is None:
            return self.same(held, text)
        try:
            held = self._serializer.to_json(self.decode(held), round_trip=True, by_alias=False, warnings=False).decode()
        except (InvalidRequest, PydanticSerializationError, ValueError):
            return False
        mine, theirs = without(json.loads(normal), schemas.FACTORY_PLACEHOLDER, json.loads(held))
        return canonical(json.dumps(mine)) == canonical(json.dumps(theirs))

    # -- refusing ------------------------------------------------------------------------------------------

    def _not_storable_error(self, error: ValidationError, value: Any) -> NotStorable:
        errors, _ = self._first_errors(error, lambda validator: validator.validate_python(value), early=False)
        if not errors:
            return NotStorable(f"{self.where}: {error.error_count()} of its parts are of the wrong type")
        path = unserializable(value) if errors[0]["type"] == "json_invalid" else path_of(errors[0], value)
        return NotStorable(f"{self.where}{path}: {shorten(errors[0]['msg'], LONGEST_MESSAGE_CHARS)}", path)

    def _invalid_request_error(self, error: ValidationError, text: str) -> InvalidRequest:
        early = len(text) >= LARGE_TEXT_CHARS
        errors, total = self._first_errors(
            error, lambda validator: validator.validate_json(text, by_alias=True, by_name=True), early=early
        )
        sent = _parse_or_none(text) if any(detail["loc"] for detail in errors) else None
        fields = tuple(
            (path_of(detail, sent).lstrip("."), shorten(detail["msg"], LONGEST_MESSAGE_CHARS)) for detail in errors
        )
        summary = "; ".join(f"{path or 'the value'}: {message}" for path, message in fields[:5])
        if total > 5:
            or_more = " or more" if early and total >= schemas.MAX_COUNTED_ERRORS else ""
            summary = f"{total}{or_more} errors; the first: {summary}"
        return InvalidRequest(f"{self.where}: {summary}", fields, total)

    def _first_errors(
        self, error: ValidationError, revalidate: Callable[[SchemaValidator], Any], *, early: bool
    ) -> tuple[list[Any], int]:
        """The first errors, MAX_DESCRIBED_ERRORS at most, and how many there are in all.

        ValidationError.errors() describes all errors at once (pydantic 2.14), so if there are many, the value is
        validated again by a validator that keeps only the first. early: the first validation stopped at an error.
        """
        total = error.error_count()
        if total > FEW_ERRORS or early:
            validator, budget = self._counting_validator
            budget.count = 0
            try:
                revalidate(validator)
            except ValidationError as fewer:
                error = fewer
            except Exception:  # a custom validator may raise anything; the first error stands
                pass
            total = max(total, budget.count)
        if error.error_count() > TOO_MANY_ERRORS:
            return [], total
        details = error.errors(include_url=False, include_input=False, include_context=False)
        return list(details[: schemas.MAX_DESCRIBED_ERRORS]), total


def _build_validator(schema: Any) -> SchemaValidator:
    return SchemaValidator(schema, schemas.CONFIG, _use_prebuilt=False)  # type: ignore[arg-type]


def _parse_or_none(text: str) -> Any:
    try:
        return from_json(text)
    except ValueError:
        return None


def _describe_error(error: BaseException) -> str:
    return shorten(f"{type(error).__name__}: {message_of(error)}", LONGEST_MESSAGE_CHARS)


def _first_line(error: BaseException) -> str:
    message = str(error).removeprefix("Error serializing to JSON: ").removeprefix("Pydantic serializer warnings:\n")
    return shorten(message.splitlines()[0].strip(), LONGEST_MESSAGE_CHARS)
