"""The linter of prose notices a bad sentence, and the repository has none."""

from tests.prose.linting import BANNED, findings, lint


def test_each_banned_phrase_is_noticed_with_its_line() -> None:
    for phrase in BANNED:
        problems = lint("page.md", f"A good line.\nThis {phrase} words.\n")
        assert [problem.partition(": ")[0] for problem in problems] == ["page.md:2"], phrase


def test_a_plain_sentence_passes() -> None:
    assert lint("page.md", "The worker claims the step and records its result.") == []


def test_the_prose_of_the_repository_keeps_the_rules() -> None:
    assert findings() == []
