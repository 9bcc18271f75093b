"""Docstrings of this project as Markdown: paragraphs, and lines such as `timeout: seconds …` as a list."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

_ENTRY = re.compile(r"([a-z_]\w*(?:, [a-z_]\w*)*): (.+)")
_CODE = re.compile(r"(`[^`]*`)")
_CLASS = re.compile(r"\b[A-Z][a-z]+[A-Z]\w*")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a docstring says of one argument or attribute, or of several together."""

    names: tuple[str, ...]
    text: str


def blocks(docstring: str, names: Collection[str]) -> Iterator[list[Entry] | str]:
    """The paragraphs of a docstring, and its lists of entries.

    An entry is a line that begins with one or several of `names` and a colon, and the lines behind it. A list ends at a
    blank line or at a line that begins with "Raises".
    """
    entries: list[tuple[tuple[str, ...], list[str]]] = []
    lines: list[str] = []
    for line in [*docstring.splitlines(), ""]:
        match = _ENTRY.fullmatch(line)
        named = tuple(match[1].split(", ")) if match else ()
        if match and set(named) <= set(names):
            if lines:
                yield "\n".join(lines)
                lines = []
            entries.append((named, [match[2]]))
        elif entries and line.strip() and not line.startswith("Raises "):
            entries[-1][1].append(line.strip())
        else:
            if entries:
                yield [Entry(names_of_entry, " ".join(texts)) for names_of_entry, texts in entries]
                entries = []
            if line.strip():
                lines.append(line)
            elif lines:
                yield "\n".join(lines)
                lines = []


def entries_of(docstring: str, names: Collection[str]) -> dict[str, str]:
    """What the docstring says of each name in an entry."""
    found_lists = (block for block in blocks(docstring, names) if not isinstance(block, str))
    return {name: entry.text for block in found_lists for entry in block for name in entry.names}


def describes(docstring: str, name: str) -> bool:
    """Whether the docstring says something of an argument or attribute: in an entry, or with its name in code."""
    if f"`{name}`" in docstring:
        return True
    lines = (_ENTRY.fullmatch(line) for line in docstring.splitlines())
    return any(name in match[1].split(", ") for match in lines if match)


def markdown(docstring: str, names: Collection[str], link: Callable[[str], str]) -> str:
    """The docstring in Markdown. link: makes a link of the name of a class, or returns it as it is."""
    parts = []
    for block in blocks(docstring, names):
        if not isinstance(block, str):
            parts.append("\n".join(_item(entry, link) for entry in block))
        elif "── " in block:
            parts.append(f"```text\n{block}\n```")
        elif block.startswith("|"):
            parts.append(block)
        else:
            parts.append(wrapped(linked(" ".join(block.split()), link)))
    return "\n\n".join(parts)


def wrapped(text: str, indent: str = "") -> str:
    """The text in lines of up to 120 characters. indent: what all lines but the first begin with."""
    return textwrap.fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _item(entry: Entry, link: Callable[[str], str]) -> str:
    names = ", ".join(f"`{name}`" for name in entry.names)
    return wrapped(f"- {names}: {linked(entry.text, link)}", indent="  ")


def linked(text: str, link: Callable[[str], str]) -> str:
    """The text with links for the names of classes that are written in two or more words, in code or not."""
    parts = _CODE.split(text)
    for number, part in enumerate(parts):
        parts[number] = link(part) if number % 2 else _CLASS.sub(lambda match: link(match[0]), part)
    return "".join(parts)
