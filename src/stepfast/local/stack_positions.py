"""Where a thread stands: in the user's step or workflow code, in an import, in making a TLS context, or in stepfast.

The watch over blocked threads says so in its warning; only what stands in the user's own code is the user's to mend.
"""

from __future__ import annotations

import sysconfig
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal

from stepfast.frames import outwards, role_of

Kind = Literal["step", "workflow", "code", "import", "tls", "stepfast"]

_OURS = f"{Path(__file__).parent.parent}/"
_PATHS = sysconfig.get_paths()
_LIBRARIES = tuple(f"{Path(_PATHS[name])}/" for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_SITE = ("/site-packages/", "/dist-packages/")
_IMPORTS = ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>", "<frozen zipimport>")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a thread stands, whose code that is, and the line of that code: `caller`, which may be the same line."""

    kind: Kind
    innermost: str
    caller: str

    def __str__(self) -> str:
        return self.innermost if self.caller == self.innermost else f"{self.innermost} (called at {self.caller})"

    @property
    def advice(self) -> str:
        """What the user can do about it, as the end of a sentence."""
        return _ADVICE[self.kind]


_ADVICE: dict[Kind, str] = {
    "step": "in a step: a step that blocks must be a `def`, not an `async def`",
    "workflow": "in workflow code, which must not compute for long: such work belongs in a `def` step",
    "code": "in code of yours that blocks the event loop: call it in a `def` step",
    "import": "in an import: put it at the top of the module, so that it is done before steps run",
    "tls": "in making a TLS context, which each new HTTP client does: make the client once, at module level",
    "stepfast": "in stepfast's own code: a large value, a large execution or a busy machine; nothing of yours blocks",
}


def place_of(frame: FrameType | None) -> Place:
    """Judges by the innermost frames: those of libraries count as whose code has called them."""
    if frame is None:
        return Place("stepfast", "an unknown place", "an unknown place")
    # What only passes a call on, as that which stands in for time.sleep, is not where anything stands.
    frames = [candidate for candidate in outwards(frame) if role_of(candidate) != "through"] or [frame]
    innermost = frames[0]
    for index, current in enumerate(frames):
        name = current.f_code.co_filename
        if name in _IMPORTS:
            return _at(innermost, _importer(frames[index:]) or innermost, "import")
        if name.endswith("/ssl.py") and _is_library(name):
            return _at(innermost, _caller(frames[index:]) or innermost, "tls")
        if _is_ours(current):
            return _at(innermost, innermost, _kind_of(current, "stepfast"))
        if not _is_library(name):
            return _at(innermost, current, _role(frames[index:]))
    return _at(innermost, innermost, "stepfast")


def in_step(frame: FrameType | None) -> bool:
    """Whether a step's attempt is under way there: its claim is written, so no other thread would run it as well."""
    return any(role_of(candidate) == "step" for candidate in outwards(frame))


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_OURS)


def _role(frames: list[FrameType]) -> Kind:
    """What user code was called as; a validator or a background task is neither a step nor a workflow."""
    for frame in frames:
        if _is_ours(frame):
            return _kind_of(frame, "code")
    return "code"


def _kind_of(frame: FrameType, otherwise: Kind) -> Kind:
    """As what a function of stepfast calls user code."""
    role = role_of(frame)
    return role if role == "step" or role == "workflow" else otherwise


def _importer(frames: list[FrameType]) -> FrameType | None:
    """The frame whose `import` is being carried out: the first that is not of the import machinery."""
    return next((frame for frame in frames if frame.f_code.co_filename not in _IMPORTS), None)


def _caller(frames: list[FrameType]) -> FrameType | None:
    """The first frame that is of no library."""
    return next((frame for frame in frames if not _is_library(frame.f_code.co_filename)), None)


def _is_library(path: str) -> bool:
    return path.startswith(("<", *_LIBRARIES)) or any(part in path for part in _SITE)


def _at(innermost: FrameType, caller: FrameType, kind: Kind) -> Place:
    return Place(kind, _line(innermost), _line(caller))


def _line(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}, in {frame.f_code.co_name}"
