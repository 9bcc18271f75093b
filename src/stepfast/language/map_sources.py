"""Files of items for `map_items`: JSON lines and CSV, on disk or in a bucket. Only their names: nothing is read."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from stepfast.errors import DefinitionError
from stepfast.records import dataclass


@dataclass(frozen=True, slots=True)
class JsonLines:
    """A file with one JSON value a line, for `map_items`. Blank lines count as lines, and are no items.

    path: a file that the server can read, or `s3://bucket/key`. A relative path begins where the server was started.
    The text is UTF-8.

    Raises DefinitionError for a path that is empty or no text.
    """

    path: str | PurePath

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", _path(self.path, "JsonLines"))


@dataclass(frozen=True, slots=True)
class Csv:
    """A CSV file whose first row names the columns, for `map_items`. Each further row is an object with these names.

    path: a file that the server can read, or `s3://bucket/key`. A relative path begins where the server was started.
    The text is UTF-8.
    delimiter: the character between two fields.

    Fields are texts, which the type of the item may turn into numbers, dates and booleans. Where a row does not fit the
    type, its empty fields are taken as null, and it is tried again. A quoted field may hold line breaks.

    Raises DefinitionError for a path that is empty or no text, and for a wrong delimiter.
    """

    path: str | PurePath
    delimiter: str = ","

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", _path(self.path, "Csv"))
        wrong = not isinstance(self.delimiter, str) or len(self.delimiter) != 1 or self.delimiter in '"\r\n'
        if wrong or not self.delimiter.isascii():
            raise DefinitionError(f"Csv: delimiter is a single ASCII character, not {self.delimiter!r}")


def described_file(file: JsonLines | Csv) -> dict[str, Any]:
    """The file as JSON values, which steps take as an argument."""
    if isinstance(file, Csv):
        return {"format": "csv", "path": str(file.path), "delimiter": file.delimiter}
    return {"format": "jsonl", "path": str(file.path)}


def _path(path: object, kind: str) -> str:
    text = str(path) if isinstance(path, PurePath) else path
    if not isinstance(text, str) or not text:
        raise DefinitionError(f'{kind} takes the path of a file, such as {kind}("orders.jsonl"), not {path!r}')
    scheme, separator, rest = text.partition("://")
    if separator and scheme != "s3":
        raise DefinitionError(f"{kind}: items are read from a disk or from s3://bucket/key, not from {scheme}://")
    if separator and not all(rest.partition("/")[::2]):
        raise DefinitionError(f"{kind}: {text!r} is not of the form s3://bucket/key")
    return text
