"""docs/protocol.md and the code name the same rules, and each rule names tests that exist."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "protocol.md"
CITATION = re.compile(r"\(rules?\s+(\*[^()]*)\)")
"""The one form in which a rule is cited: the names in italics, separated by commas, in brackets."""
OTHER_FORM = re.compile(r"\brules?\s+(?:\d|\*)")
NAME = re.compile(r"\*([^*]+)\*")
SHOWN_BY = re.compile(r"((?:`\w+`(?:,\s+|\s+and\s+)?)+)\s+\(([\w/]+\.py)\)")
"""Functions in backticks, then in brackets the file that they are in."""
MUTANT = re.compile(r"`\w+(?:-\w+)+`")
MUTANTS_OF = re.compile(r"mutants?\s+((?:`[\w-]+`(?:,\s+|\s+and\s+)?)+)\s+\(([\w/]+\.py)\)")
"""Mutants of a model in backticks, then in brackets the model."""


def sources() -> Iterator[tuple[Path, str]]:
    for folder in ("src", "docs", "tests"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".md") and path not in (DOCUMENT, Path(__file__)):
                yield path, path.read_text(encoding="utf-8")


def cited() -> list[tuple[str, str]]:
    """Each citation's file and the rule it names; a name may go on in the next line, also of a comment."""
    return [
        (str(path.relative_to(ROOT)), re.sub(r"[\s#]+", " ", name))
        for path, text in sources()
        for names in CITATION.findall(text)
        for name in NAME.findall(names)
    ]


def rules() -> dict[str, str]:
    """The rules of the document with their texts."""
    _, *parts = re.split(r"^### (.+)$", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {
        name: re.split(r"^## ", text, flags=re.MULTILINE)[0] for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


def test_every_citation_names_a_rule_of_the_document() -> None:
    citations = cited()
    assert len(citations) >= 15, "the form of citations has changed: this test finds too few"
    names = rules().keys()
    assert [one for one in citations if one[1] not in names] == []


def test_rules_are_cited_in_one_form() -> None:
    for path, text in sources():
        wrong = len(OTHER_FORM.findall(text)) - len(CITATION.findall(text))
        assert wrong == 0, f"{path} cites a rule otherwise than as (rule *claim*) or (rules *claim*, *chain*)"


def test_the_document_has_rules_and_each_name_once() -> None:
    headings = re.findall(r"^### (.+)$", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(headings) >= 17
    assert len(headings) == len(set(headings))


@pytest.mark.parametrize("rule", rules())
def test_a_rule_says_why_and_names_tests_that_exist(rule: str) -> None:
    text = rules()[rule]
    for part in ("**Rule.**", "**Why.**", "**Without it.**", "**Shown by.**"):
        assert text.count(part) == 1, part
    shown = text.partition("**Shown by.**")[2]
    tests = [(name, file) for names, file in SHOWN_BY.findall(shown) for name in re.findall(r"`(\w+)`", names)]
    assert len(tests) == len(re.findall(r"`\w+`", shown)) > 0
    mutants = [(name, file) for names, file in MUTANTS_OF.findall(shown) for name in re.findall(r"`([\w-]+)`", names)]
    assert len(mutants) == len(MUTANT.findall(shown))
    for name, file in mutants:
        module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        assert name in module.MUTANTS, f"{file} has no mutant {name}"
    for name, file in tests:
        assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), name
