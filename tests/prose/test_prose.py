"""The linter of prose notices a bad sentence of each kind, and the repository has none."""

import pytest

from tests.prose.linting import findings, lint
from tests.prose.rules import GLOSSARY, LONGEST, OPENINGS, PHRASES, RULES
from tests.prose.texts import Text, code

BAD = (
    "The queue is none of the worker's.",
    "The log says so, and there is none.",
    "The step is not to be tried.",
    "The worker keeps nothing that it read.",
    "The sweep looks at it more seldom.",
    "The client is told about a second later.",
    "The record has what it came to, and what it comes to.",
    "The outcome is what the code makes of it.",
    "The second record takes the place of the first.",
    "The step ends of its own accord.",
    "Ids can be worked out by who knows the seed.",
    "Whoever may read the table may read the logs.",
    "The step is begun by the worker.",
    "Fix the code, or mend the service.",
    "The workflow hears of it at the heartbeat.",
    "All steps ran but for the last.",
    "The command line is used as ever.",
    "The message is left alone.",
    "The clock stands still.",
    "Sockets, files and the like are refused.",
    "The id is free, hence the start is accepted.",
    "The worker waits, lest the lease ends.",
)
STARTS = (
    "What is deleted is overwritten.",
    "Whatever comes is dropped.",
    "Who reads the table sees all values.",
    "Whoever reads the table sees all values.",
)
OTHER_WORDS = (
    "Each workflow instance has an id.",
    "The step invocation has failed.",
    "The activity has failed.",
    "The dead letter message is kept.",
    "The event history is kept.",
    "The lock lease ends.",
    "Its task queue is full.",
    "It has the status DONE.",
)


@pytest.mark.parametrize(
    ("kind", "sentences"),
    [(PHRASES, BAD), (OPENINGS, STARTS), (GLOSSARY, OTHER_WORDS)],
    ids=["phrase", "start", "term"],
)
def test_each_bad_sentence_is_noticed_with_its_line(kind: dict[str, str], sentences: tuple[str, ...]) -> None:
    assert len(sentences) == len(kind)
    for sentence in sentences:
        problems = lint(Text("page.md", f"A good line.\n\n{sentence}\n", line=11))
        assert problems, sentence
        assert {problem.partition(": ")[0] for problem in problems} == {"page.md:13"}, sentence


def test_each_rule_notices_a_bad_sentence() -> None:
    assert not [rule.pattern for rule in RULES if not any(rule.search(bad) for bad in (*BAD, *OTHER_WORDS))]


def test_a_long_sentence_is_noticed_and_code_does_not_make_it_long() -> None:
    limit = " ".join(["Word", *["word"] * (LONGEST - 1)])
    assert lint(Text("page.md", f"{limit} `and some more code` `code`. Another sentence.")) == []
    (problem,) = lint(Text("page.md", f"A short line.\n{limit}\nword. Another sentence."))
    assert problem.startswith(f"page.md:2: a sentence of {LONGEST + 1} words")


def test_items_of_a_list_headings_and_paragraphs_are_sentences_of_their_own() -> None:
    half = " ".join(["word"] * (LONGEST - 10))
    for border in ("\n\n", "\n- ", "\n## ", "\n1. ", "\n    timeout: "):
        assert lint(Text("page.md", f"{half}{border}{half}")) == [], border


def test_code_is_no_prose() -> None:
    assert lint(Text("page.md", "Call `mend()`.\n\n```sh\nmend  # What is begun\n```\n")) == []


def test_a_question_and_the_first_sentence_of_a_docstring_may_begin_with_what() -> None:
    assert lint(Text("page.md", "What is a lease?")) == []
    assert lint(Text("a.py", "What a message carries.", docstring=True)) == []
    assert len(lint(Text("a.py", "A message. What it carries is typed.", docstring=True))) == 1


def test_docstrings_comments_and_errors_of_code_are_read_with_their_lines() -> None:
    source = '"""A module."""\n\nX = 1\n"""A constant."""\n\n# Why,\n# on two lines.\nraise ValueError("the text")\n'
    read = {(text.text, text.line, text.docstring) for text in code("a.py", source)}
    assert read == {
        ("A module.", 1, True),
        ("A constant.", 4, True),
        ("Why,\non two lines.", 6, False),
        ("the text", 8, False),
    }


def test_a_plain_sentence_passes() -> None:
    assert lint(Text("page.md", "The worker claims the step and records its result.")) == []


def test_the_prose_of_the_repository_keeps_the_rules() -> None:
    assert findings() == []
