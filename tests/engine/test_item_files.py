"""Files of items are cut into parts and read in parts, with the number of each line."""

from pathlib import Path
from typing import Any

import pytest

from stepfast.backends.item_files import DiskAndBucketFiles
from stepfast.engine import item_files
from stepfast.engine.item_files import FileState
from stepfast.errors import GiveUp
from stepfast.language.map_sources import Csv, JsonLines, described_file


def read_all(source: JsonLines | Csv, batch: int, files: Any = None) -> tuple[list[Any], list[Any], list[int]]:
    """All rows and bad lines of a file, and how many lines each part has given."""
    files = files or DiskAndBucketFiles()
    described, version = described_file(source), ""
    position: list[int] | None = [0, 1]
    rows, bad, sizes = list[Any](), list[Any](), list[int]()
    while position is not None:
        plan = item_files.plan(files, described, batch, version, *position)
        version, position = plan["version"], plan["next"]
        if "columns" in plan:
            described = {**described, "columns": plan["columns"]}
        for part in plan["parts"]:
            read = item_files.read(files, described, version, part)
            rows, bad = rows + read["rows"], bad + read["bad"]
            sizes.append(len(read["rows"]) + len(read["bad"]))
    return rows, bad, sizes


def test_lines_come_with_their_numbers_in_parts_of_a_batch(tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    file.write_text("".join(f"{number}\n" for number in range(1, 1_001)))
    rows, bad, sizes = read_all(JsonLines(file), 300)
    assert rows == [[number, str(number)] for number in range(1, 1_001)]
    assert (bad, sizes) == ([], [300, 300, 300, 100])


@pytest.mark.parametrize(
    ("text", "rows", "bad"),
    [
        (b"", [], []),
        (b"\n\n", [], []),
        (b"1\n\n2", [[1, "1"], [3, "2"]], []),
        (b"1\r\n2\r\n", [[1, "1"], [2, "2"]], []),
        (b"\xef\xbb\xbf1\n2\n", [[1, "1"], [2, "2"]], []),
        (b"1\nnope\n", [[1, "1"]], [[2, "is not JSON: expected ident at column 2"]]),
        (b"NaN\n", [], [[1, "is not JSON: expected value at column 1"]]),
        (b"1\n\xff\n3\n", [[1, "1"], [3, "3"]], [[2, "is not UTF-8 at byte 1"]]),
    ],
)
@pytest.mark.parametrize("batch", [1, 2, 500])
def test_json_lines(tmp_path: Path, text: bytes, rows: list[Any], bad: list[Any], batch: int) -> None:
    file = tmp_path / "items.jsonl"
    file.write_bytes(text)
    assert read_all(JsonLines(file), batch)[:2] == (rows, bad)


@pytest.mark.parametrize("batch", [1, 2, 500])
def test_csv_rows_may_hold_line_breaks_quotes_and_other_delimiters(tmp_path: Path, batch: int) -> None:
    file = tmp_path / "items.csv"
    file.write_bytes(b'\xef\xbb\xbfid;note\r\n1;"a\nb"\r\n2;\r\n\r\n3\r\n4;"x"";y"')
    rows, bad, _ = read_all(Csv(file, delimiter=";"), batch)
    assert rows == [
        [2, '{"id": "1", "note": "a\\nb"}'],
        [4, '{"id": "2", "note": ""}'],
        [7, '{"id": "4", "note": "x\\";y"}'],
    ]
    assert bad == [[6, "has 1 fields, and the first row names 2 columns"]]


@pytest.mark.parametrize("header", ["", "a,a\n1,2\n", "a,\n1,2\n"])
def test_a_csv_file_without_names_for_its_columns_is_refused(tmp_path: Path, header: str) -> None:
    file = tmp_path / "items.csv"
    file.write_text(header)
    with pytest.raises(GiveUp, match="the first row must name each column once"):
        read_all(Csv(file), 10)


def test_a_part_ends_early_where_its_items_are_large(tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    large = '"' + "x" * (399 * 1024) + '"'
    file.write_text("".join(f"{large}\n" for _ in range(25)))
    rows, bad, sizes = read_all(JsonLines(file), 500)
    assert [row[0] for row in rows] == list(range(1, 26))
    assert (bad, sizes) == ([], [11, 11, 3])


def test_a_large_file_is_planned_in_several_steps_and_no_read_is_larger_than_a_block_or_a_part() -> None:
    files = Endless(lines=70_001, bad=70_000)
    rows, bad, sizes = read_all(JsonLines("endless"), 500, files)
    assert len(rows) == 70_000
    assert bad == [[70_000, "is not JSON: expected ident at column 2"]]
    assert sizes[-2:] == [500, 1]
    assert max(files.asked) <= item_files.PART_BYTES
    assert files.planned_from > 1


class Endless:
    """A file that is not there: each line is nine bytes."""

    def __init__(self, lines: int, bad: int) -> None:
        self._text = b"".join(b"%08d\n" % (10_000_000 + n) if n != bad else b"nonsense\n" for n in range(1, lines + 1))
        self.asked, self.planned_from = list[int](), 0

    def state(self, path: str) -> FileState:
        self.planned_from += 1
        return FileState(len(self._text), "1")

    def read(self, path: str, start: int, length: int, version: str) -> bytes:
        self.asked.append(length)
        return self._text[start : start + length]


def test_a_file_that_has_changed_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    file.write_text("1\n2\n")
    source, files = described_file(JsonLines(file)), DiskAndBucketFiles()
    plan = item_files.plan(files, source, 1, "", 0, 1)
    file.write_text("1\n2\n3\n")
    with pytest.raises(GiveUp, match="has changed since this map began"):
        item_files.read(files, source, plan["version"], plan["parts"][0])
    with pytest.raises(GiveUp, match="has changed since this map began"):
        item_files.plan(files, source, 1, plan["version"], 2, 2)


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(GiveUp, match=r"none\.jsonl cannot be read: No such file or directory; the path is looked up"):
        read_all(JsonLines(tmp_path / "none.jsonl"), 10)
