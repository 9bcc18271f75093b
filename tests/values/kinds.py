"""The types and values that the rows of the table are written with."""
# ruff: noqa: F401, DTZ001 - names for the rows; naive times are values, too

from __future__ import annotations

import array
import dataclasses
import enum
import ipaddress
import math
import re
import sys
import uuid
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, UserString, defaultdict, deque, namedtuple
from collections.abc import (
    Callable,
    Collection,
    Generator,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    MutableSequence,
    Sequence,
    Set,
    ValuesView,
)
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from types import MappingProxyType, SimpleNamespace
from typing import (
    Annotated,
    Any,
    AnyStr,
    ClassVar,
    Final,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    TypeVar,
    Union,
)
from typing import TypedDict as PlainTypedDict
from zoneinfo import ZoneInfo

import pydantic.dataclasses
from pydantic import (
    AfterValidator,
    AnyUrl,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Discriminator,
    EmailStr,
    Field,
    HttpUrl,
    ImportString,
    Json,
    JsonValue,
    NaiveDatetime,
    NameEmail,
    PlainSerializer,
    PrivateAttr,
    RootModel,
    SecretBytes,
    SecretStr,
    SerializeAsAny,
    StringConstraints,
    Tag,
    WrapValidator,
    computed_field,
    field_serializer,
    model_serializer,
    model_validator,
)
from typing_extensions import NotRequired, ReadOnly, Required, TypeAliasType, TypedDict, Unpack  # noqa: UP035

T = TypeVar("T")
N = TypeVar("N", bound=int)


class Missing(TypedDict):
    a: int


BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 1, 12)
ID = uuid.UUID("12345678-1234-5678-1234-567812345678")


class Shade(enum.Enum):
    RED = "red"
    CRIMSON = "red"  # an alias  # noqa: PIE796
    DEEP = (1, 2)
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Status(enum.StrEnum):
    OPEN = "open"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Mode(enum.IntFlag):
    R = 4
    W = 2


class Price(enum.Enum):
    LOW = Decimal("1.10")


class Sub(str):
    pass


class Ints(list):  # type: ignore[type-arg]
    pass


class Pair(NamedTuple):
    left: int
    right: bytes = b""


Plain2 = namedtuple("Plain2", "x y")


class Patch(BaseModel):
    name: str | None = None
    email: str | None = None


class Outer(BaseModel):
    patch: Patch = Patch()
    patches: list[Patch] = []


def patch_of_two() -> Outer:
    return Outer(patch=Patch(name="a"), patches=[Patch(email=None), Patch(), Patch(name="b", email="c")])


class Made(BaseModel):
    item: str
    ref: uuid.UUID = Field(default_factory=uuid.uuid4)


class Grown(BaseModel):
    items: list[int] = []


def grown() -> Grown:
    made = Grown()
    made.items.append(1)
    return made


class Caching(BaseModel):
    a: int
    _source: str = PrivateAttr(default="none")


def caching(source: str | None = None) -> Caching:
    made = Caching(a=1)
    if source:
        made._source = source
    return made


class Derives(BaseModel):
    a: int
    _twice: int = 0

    def model_post_init(self, _context: Any) -> None:
        self._twice = self.a * 2


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)
    a: int
    b: int = 0


class Extra(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Forbidding(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    a: int = 0
    b: bytes = b""


class Aliased(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)
    first: int = Field(alias="firstName")
    second: int = Field(default=0, validation_alias="in", serialization_alias="out")


class Swapped(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    a: int = Field(alias="b")
    b: int = Field(alias="a")


class Computing(BaseModel):
    a: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> int:
        return 2 * self.a

    @cached_property
    def thrice(self) -> int:
        return 3 * self.a


def computed() -> Computing:
    made = Computing(a=1)
    assert made.thrice == 3
    return made


class Hiding(BaseModel):
    shown: int
    hidden: int = Field(default=5, exclude=True)


class Writing(BaseModel):
    n: int

    @field_serializer("n")
    def shown(self, n: int) -> str:
        return hex(n)


class Rounding(BaseModel):
    n: float

    @field_serializer("n")
    def shown(self, n: float) -> float:
        return round(n, 1)


class Wrapped(BaseModel):
    n: int

    @model_serializer(mode="wrap")
    def shown(self, handler: Any) -> Any:
        return {**handler(self), "kind": "wrapped"}


class Flattened(BaseModel):
    n: int

    @model_serializer
    def shown(self) -> int:
        return self.n


class Doubling(BaseModel):
    n: int

    @model_validator(mode="after")
    def doubled(self) -> Doubling:
        self.__dict__["n"] = self.n * 2
        return self


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


class Metre(BaseModel):
    size: float


class Foot(BaseModel):
    size: float


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]
Tagged = Annotated[
    Annotated[int, Tag("n")] | Annotated[str, Tag("s")],
    Discriminator(lambda value: "n" if isinstance(value, int) else "s"),
]


class Box(BaseModel, Generic[T]):
    content: T


class Words(RootModel[list[str]]):
    pass


class Tree(BaseModel):
    value: int
    children: list[Tree] = []


class Opaque:
    """A class that pydantic knows nothing of."""


class Holding(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    what: Opaque


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    part: str
    level: Level = Level.LOW


@dataclasses.dataclass
class Counted:
    a: int
    seen: int = dataclasses.field(init=False, default=0)


def counted(seen: int) -> Counted:
    made = Counted(1)
    made.seen = seen
    return made


@dataclasses.dataclass
class Summed:
    a: int
    total: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.total = self.a + 1


@dataclasses.dataclass
class Started:
    a: int
    seed: dataclasses.InitVar[int] = 0


@pydantic.dataclasses.dataclass
class Checked:
    a: int
    b: list[int] = dataclasses.field(default_factory=list)
    hidden: int = Field(default=1, exclude=True)


def loose(name: str) -> Point:
    made = Point(1.0)
    setattr(made, name, 1)
    return made


class Person(TypedDict):
    name: str
    age: NotRequired[int]


class Partial(TypedDict, total=False):
    name: Required[str]
    age: int


class Kept(TypedDict):
    name: ReadOnly[str]


class Typing(PlainTypedDict):
    name: str


Alias = TypeAliasType("Alias", list[int])
Nested = TypeAliasType("Nested", "list[Nested] | int")
Cents = NewType("Cents", int)


def lower(text: str) -> str:
    return text.lower()


def modern(source: str, name: str) -> Any:
    """What a statement of a newer Python defines; its classes find the names of this module."""
    made = dict(globals())
    exec(source, made)  # syntax that older Pythons do not read
    return made[name]


def open_file() -> Any:
    with open(__file__) as file:
        return file


def itself() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


math_sin = math.sin
