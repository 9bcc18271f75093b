"""Rows of CSV end where Python's csv module ends them, however the file comes in blocks; and none is left out."""

import csv
import io
import os
import random
from pathlib import Path

import pytest

from stepfast.backends.item_files import DiskAndBucketFiles
from stepfast.engine import item_files
from stepfast.engine.item_rows import RowEnds
from stepfast.errors import GiveUp
from stepfast.language.map_sources import Csv, JsonLines, described_file
from tests.engine.test_item_files import read_all


def by_csv_module(text: str) -> tuple[list[int], bool]:
    """The first lines of the rows behind the header, and whether all of the text is CSV."""
    reader, lines, last = csv.reader(io.StringIO(text), strict=True), list[int](), 0
    try:
        for row in reader:
            lines += [last + 1] if row else []
            last = reader.line_num
    except csv.Error:
        return lines[1:], False
    return lines[1:], True


def test_rows_are_those_of_the_csv_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, seen = tmp_path / "items.csv", set[str]()
    for seed in range(1_000):
        draw = random.Random(seed)
        monkeypatch.setattr(item_files, "BLOCK_BYTES", draw.choice([1, 2, 3, 7, 1000]))
        text = "x,y\n" + "".join(draw.choice('""",,,\n\nab') for _ in range(draw.randrange(25)))
        file.write_text(text)
        lines, whole = by_csv_module(text)
        try:
            rows, bad, _ = read_all(Csv(file), draw.choice([1, 2, 5]))
        except GiveUp:
            assert not whole, f"seed {seed}: {text!r}"
            seen.add("refused")
            continue
        found = sorted(line for line, _ in [*rows, *bad])
        assert found[: len(lines)] == lines, f"seed {seed}: {text!r}"
        assert len(found) == len(lines) if whole else bad, f"seed {seed}: {text!r}"
        seen.add("whole" if whole else "bad")
    assert seen == {"refused", "whole", "bad"}


def test_a_quote_that_opens_no_field_hides_no_rows(tmp_path: Path) -> None:
    file = tmp_path / "pipes.csv"
    file.write_text('id,size\n1,5" pipe\n2,ok\n3,6" pipe\n4,ok\n')
    rows, bad, _ = read_all(Csv(file), 2)
    assert ([line for line, _ in rows], bad) == ([2, 3, 4, 5], [])


def test_a_fault_names_all_lines_of_its_row(tmp_path: Path) -> None:
    file = tmp_path / "items.csv"
    file.write_text('a,b\n1,"open\n2,ok\n3,"ok"\n4,ok\n')
    rows, bad, _ = read_all(Csv(file), 2)
    assert [line for line, _ in rows] == [5]
    assert [(line, text.partition(" (")[2]) for line, text in bad] == [
        (2, "a quoted field makes one row of the lines 2 to 4)")
    ]


@pytest.mark.parametrize("kind", ["line", "field"])
def test_each_byte_of_a_long_row_is_looked_at_once(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Counted(bytearray):
        looked = 0

        def find(self, part, start=0, end=None):  # type: ignore[no-untyped-def]
            found = super().find(part, start, len(self) if end is None else end)
            Counted.looked += (len(self) if end is None else end) - start if found < 0 else found - start
            return found

    Counted.looked = 0
    text, ends = Counted(b'1,"' if kind == "field" else b""), RowEnds("," if kind == "field" else None)
    for _ in range(50):
        text += b"x" * 900 + (b"\n" * 100 if kind == "field" else b"x" * 100)
        assert list(ends.ends_in(text)) == []
    assert Counted.looked <= 4 * len(text)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("folder", "It is a folder"),
        ("pipe", "It is not a regular file"),
        ("no\0thing", "embedded null byte"),
        ("n" * 300, "File name too long"),
    ],
)
def test_what_is_no_file_is_refused_and_not_taken_for_an_empty_one(tmp_path: Path, source: str, said: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    described = described_file(JsonLines(f"{tmp_path}/{source}"))
    with pytest.raises(GiveUp, match=said):
        item_files.plan(DiskAndBucketFiles(), described, 10, "", 0, 1)
