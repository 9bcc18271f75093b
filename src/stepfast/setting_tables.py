"""What the tables of `[tool.stepfast]` have in common. All errors are StartupErrors that name the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stepfast.errors import StartupError


def as_table(where: str, value: object) -> dict[str, Any]:
    """The value of a setting that is a table. where: its name in errors."""
    if not isinstance(value, Mapping):
        raise StartupError(f"[{where}] is a table, not {value!r}")
    return dict(value)


def require_known(where: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Refuses the first name that is not a setting of this table."""
    known = list(known)
    for name in names:
        if name not in known:
            raise StartupError(f"[{where}] has no setting {name!r}; it has: {', '.join(known)}")
