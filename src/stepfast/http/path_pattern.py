"""The paths of a route, as a pattern that is compiled when a path first looks like one of them.

The routes have some 60 patterns. A cold start compiles none of them, and most requests are compared with few.
"""

from __future__ import annotations

import re
from collections.abc import Callable


class PathPattern:
    """Has of re.Pattern what Powertools 3.37 uses of a route's rule: `match` and `groups`.

    slashes: how many a path has that matches; None for any number.

    rule: a path with its parameters in angle brackets. compiled: makes the expression. spans: a parameter that may have
    slashes; no other parameter matches one.
    """

    __slots__ = ("_compile", "_pattern", "_start", "groups", "slashes")

    def __init__(self, rule: str, compiled: Callable[[], re.Pattern[str]], spans: str) -> None:
        self._compile = compiled
        self._pattern: re.Pattern[str] | None = None
        self.groups = rule.count("<")
        self._start = rule.partition("<")[0]
        self.slashes = None if spans in rule else rule.count("/")

    def match(self, path: str) -> re.Match[str] | None:
        if not path.startswith(self._start) or self.slashes not in (None, path.count("/")):
            return None
        if self._pattern is None:
            self._pattern = self._compile()
        return self._pattern.match(path)
