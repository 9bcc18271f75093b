"""Types that the codec tests use; module level, since annotations are resolved there."""

from __future__ import annotations

import dataclasses
import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypeVar
from uuid import UUID

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, RootModel, computed_field
from pydantic.alias_generators import to_camel
from typing_extensions import NotRequired, TypedDict  # noqa: UP035 - pydantic's wish before 3.12

from stepfast.values.codec import Codec

T = TypeVar("T")
Cents = NewType("Cents", int)
Percent = Annotated[int, Field(ge=0, le=100)]


def codec(annotation: Any) -> Codec:
    return Codec(annotation, "step 'x': result")


def through(annotation: Any, value: Any) -> Any:
    """The value as it comes back from its JSON text, which both ways of reading must agree on."""
    type_codec = codec(annotation)
    text, back = type_codec.encode(value)
    assert repr(type_codec.decode(text)) == repr(back) or type_codec.decode(text) == back
    return back


class Color(enum.Enum):
    RED = "red"
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Kind(enum.StrEnum):
    A = "a"
    B = "b"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Line(BaseModel):
    name: str
    price: Decimal
    blob: bytes = b""


class Order(BaseModel):
    id: UUID
    at: datetime
    due: date | None = None
    lines: list[Line] = []
    color: Color = Color.RED
    tags: set[str] = set()
    by_level: dict[Level, tuple[int, str]] = {}


class Tree(BaseModel):
    value: int
    children: list[Tree] = []
    parent_id: Later | None = None


class Blobs(RootModel[list[set[bytes]]]):
    pass


class Later(BaseModel):
    """Defined after the model that names it."""

    n: int


class Box(BaseModel, Generic[T]):
    content: T
    history: list[T] = []


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


@dataclasses.dataclass
class Path:
    points: list[Point]
    raw: bytes
    end: Point | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    part: str
    kind: Kind


class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)
    first_name: str
    last_name: str = ""


class ByValidation(BaseModel):
    amount: int = Field(validation_alias=AliasChoices("amt", "Amount"))


class BySerialization(BaseModel):
    amount: int = Field(serialization_alias="AMOUNT")


class Both(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)
    amount: int = Field(validation_alias="in", serialization_alias="out")


class Swapped(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    a: int = Field(alias="b")
    b: int = Field(alias="a")


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    width: int
    at: datetime
    blob: bytes

    @computed_field  # type: ignore[prop-decorator]
    @property
    def area(self) -> int:
        return self.width * self.width


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Base(BaseModel):
    a: int = 1


class Derived(Base):
    b: int = 2


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: list[str]


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Person(TypedDict):
    name: str
    age: NotRequired[int]


class Pair(NamedTuple):
    left: int
    right: bytes
