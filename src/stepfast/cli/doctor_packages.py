"""What `stepfast doctor` says about Python, the packages that stepfast needs, and the extras."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Literal

OK: Literal["OK"] = "OK"
WARN: Literal["WARN"] = "WARN"
FAIL: Literal["FAIL"] = "FAIL"
TESTED = ((3, 11), (3, 13))
"""The oldest and the newest Python that stepfast is tested on."""
NOT_FOR_USERS = frozenset({"dev"})
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?\s*\(?(?P<bounds>[^;)]*)\)?\s*(;.*extra == ['\"](?P<extra>[^'\"]+))?"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check, in one line. advice: what to do, empty where all is in order."""

    check: str
    outcome: Literal["OK", "WARN", "FAIL"]
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Requirement:
    """A package that stepfast needs. bounds: such as `>=2.12,<3`. extra: None for a package that it always needs."""

    name: str
    bounds: str
    extra: str | None

    def problem(self) -> str | None:
        """What is wrong with the installed version; None if it fits."""
        there = installed(self.name)
        if there is None:
            return f"{self.name} is not installed"
        return None if fits(there, self.bounds) else f"{self.name} {there} is not {self.bounds}"


def python() -> Finding:
    running = sys.version_info[:2]
    text = f"{platform.python_implementation()} {platform.python_version()}"
    oldest, newest = (".".join(map(str, bound)) for bound in TESTED)
    if running < TESTED[0]:
        return Finding("python", FAIL, f"{text} is too old", f"install Python {oldest} to {newest}")
    if running > TESTED[1] or sys.implementation.name != "cpython":
        return Finding("python", WARN, f"{text} is not tested", f"use CPython {oldest} to {newest}")
    return Finding("python", OK, text)


def stepfast() -> Iterator[Finding]:
    """The version of stepfast, the packages that it always needs, and the web page in it."""
    from stepfast.http.page import BUILT, HOW_TO_BUILD

    yield Finding("stepfast", OK, f"{installed('stepfast')}")
    wrong = [(needed, problem) for needed in _requirements() if not needed.extra and (problem := needed.problem())]
    if wrong:
        fix = " ".join(f"'{needed.name}{needed.bounds}'" for needed, _ in wrong)
        yield Finding("packages", FAIL, ", ".join(problem for _, problem in wrong), f"pip install {fix}")
    else:
        yield Finding("packages", OK, "every package that stepfast needs is there, in a version that fits")
    if (BUILT / "index.html").is_file():
        yield Finding("page", OK, "the web page is part of this installation")
    else:
        yield Finding("page", WARN, "this installation has no web page", HOW_TO_BUILD)


def extras() -> Finding:
    """The extras whose packages are all there, and those that are there in part or in a wrong version."""
    complete, absent, wrong = [], [], []
    for extra in sorted({needed.extra for needed in _requirements() if needed.extra} - NOT_FOR_USERS):
        needed = [requirement for requirement in _requirements() if requirement.extra == extra]
        problems = [problem for requirement in needed if (problem := requirement.problem())]
        if not problems:
            complete.append(extra)
        elif all(installed(requirement.name) is None for requirement in needed):
            absent.append(extra)
        else:
            wrong.append(f"{extra} ({', '.join(problems)})")
    text = f"complete: {', '.join(complete) or 'none'}"
    text += f"; not installed: {', '.join(absent)}" if absent else ""
    if not wrong:
        return Finding("extras", OK, text)
    names = ",".join(entry.partition(" ")[0] for entry in wrong)
    return Finding(
        "extras", WARN, f"{text}; in part: {', '.join(wrong)}", f"if you use them: pip install 'stepfast[{names}]'"
    )


def installed(name: str) -> str | None:
    """The version of an installed package; None without it."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _requirements() -> list[Requirement]:
    matches = (_REQUIREMENT.match(line) for line in requires("stepfast") or [])
    return [Requirement(match["name"], match["bounds"].replace(" ", ""), match["extra"]) for match in matches if match]


def fits(there: str, bounds: str) -> bool:
    """Whether a version is within bounds of `>=` and `<`, the only operators in stepfast's pyproject.toml."""
    for bound in filter(None, bounds.split(",")):
        least = bound.startswith(">=")
        if (_numbers(there) >= _numbers(bound.lstrip("<>="))) is not least:
            return False
    return True


def _numbers(text: str) -> tuple[int, ...]:
    match = re.match(r"[0-9]+(?:\.[0-9]+)*", text)
    numbers = [int(part) for part in match[0].split(".")] if match else [0]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
