"""A kit with its API, asked as a client asks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Asked:
    """`env` is the kit. Called with a method, a path and a body, it checks the status and returns the answer's body."""

    def __init__(self, env: Any, ask: Callable[[str, str, Any], tuple[int, Any]]) -> None:
        self.env, self._ask = env, ask

    def __call__(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answered, held = self._ask(method, path, body)
        assert answered == status, held
        return held
