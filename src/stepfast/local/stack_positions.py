"""Where a blocked thread stands: in step or workflow code, in an import, in making a TLS context, or in stepfast.

The watch over worker threads names the position in its warning, with advice on what the user can change.
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
    """The innermost line of a thread, the kind of code it belongs to, and the line of that code, `caller`."""

    kind: Kind
    innermost: str
    caller: str

    def __str__(self) -> str:
        return self.innermost if self.caller == self.innermost else f"{self.innermost} (called at {self.caller})"

    @property
    def advice(self) -> str:
        """What the user can change, as the end of a sentence."""
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
    """The position of a thread's innermost frame. Frames of libraries count as the code that has called them."""
    if frame is None:
        return Place("stepfast", "an unknown place", "an unknown place")
    # A function that only passes a call on, such as the replacement of time.sleep, is never the position itself.
    frames = [candidate for candidate in outwards(frame) if role_of(candidate) != "through"] or [frame]
    innermost = frames[0]
    for index, current in enumerate(frames):
        name = current.f_code.co_filename
        if name in _IMPORTS:
            return _place(innermost, _importing_frame(frames[index:]) or innermost, "import")
        if name.endswith("/ssl.py") and _is_library(name):
            return _place(innermost, _calling_frame(frames[index:]) or innermost, "tls")
        if _is_ours(current):
            return _place(innermost, innermost, _kind_of(current, "stepfast"))
        if not _is_library(name):
            return _place(innermost, current, _kind_of_user_code(frames[index:]))
    return _place(innermost, innermost, "stepfast")


def in_step(frame: FrameType | None) -> bool:
    """Whether the thread runs a step's attempt. Its claim is written, so no other thread runs the attempt as well."""
    return any(role_of(candidate) == "step" for candidate in outwards(frame))


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_OURS)


def _kind_of_user_code(frames: list[FrameType]) -> Kind:
    """The kind of user code: step, workflow, or code, which is any other, such as a validator or a background task."""
    for frame in frames:
        if _is_ours(frame):
            return _kind_of(frame, "code")
    return "code"


def _kind_of(frame: FrameType, otherwise: Kind) -> Kind:
    """The kind of user code that this function of stepfast calls."""
    role = role_of(frame)
    return role if role == "step" or role == "workflow" else otherwise


def _importing_frame(frames: list[FrameType]) -> FrameType | None:
    """The frame that executes an `import` statement: the first frame outside the import machinery."""
    return next((frame for frame in frames if frame.f_code.co_filename not in _IMPORTS), None)


def _calling_frame(frames: list[FrameType]) -> FrameType | None:
    """The first frame outside of libraries."""
    return next((frame for frame in frames if not _is_library(frame.f_code.co_filename)), None)


def _is_library(path: str) -> bool:
    return path.startswith(("<", *_LIBRARIES)) or any(part in path for part in _SITE)


def _place(innermost: FrameType, caller: FrameType, kind: Kind) -> Place:
    return Place(kind, _line(innermost), _line(caller))


def _line(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}, in {frame.f_code.co_name}"
