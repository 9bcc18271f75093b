"""The target of a bundle: Lambda's architecture and Python version."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from typing import Literal, get_args

from stepfast.errors import StartupError

__all__ = ["Target"]

Architecture = Literal["arm64", "x86_64"]

# Lambda's Python 3.12 and later run on Amazon Linux 2023, whose glibc is 2.34.
_PLATFORMS: dict[Architecture, str] = {
    "arm64": "aarch64-manylinux_2_34",
    "x86_64": "x86_64-manylinux_2_34",
}


@dataclass(frozen=True, slots=True)
class Target:
    """The processor and the Python version of the functions.

    architecture: "arm64" or "x86_64". arm64 is the default: it costs a fifth less.
    python: the version of Python, such as "3.13".

    Raises StartupError for a target that Lambda does not have.
    """

    architecture: Architecture = "arm64"
    python: str = "3.13"

    def __post_init__(self) -> None:
        if self.architecture not in get_args(Architecture):
            known = ", ".join(get_args(Architecture))
            raise StartupError(f"stepfast:architecture is one of {known}, not {self.architecture!r}")
        # Python 3.11 is for emulators only: Lambda's 3.11 runs on Amazon Linux 2, whose glibc is older than these
        # wheels need.
        if not re.fullmatch(r"3\.[1-9]\d", self.python) or self.python == "3.10":
            raise StartupError(f"stepfast:python is a Python that Lambda has, such as 3.13, not {self.python!r}")

    @property
    def platform(self) -> str:
        """The platform in uv's notation."""
        return _PLATFORMS[self.architecture]


def architecture_here() -> Architecture:
    """The processor of this machine, as Lambda names it."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
