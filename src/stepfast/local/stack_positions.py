"""Where a thread stands: in the user's step or workflow code, in an import, in making a TLS context, or in stepfast.

The watch over blocked threads says so in its warning; only what stands in the user's own code is the user's to mend.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Literal

Kind = Literal["step", "workflow", "code", "import", "tls", "stepfast"]

_OURS = f"{Path(__file__).parent.parent}/"
_STANDS_IN = f"{_OURS}replay/forbidden.py"
"""Wraps time.sleep and the like for everybody: its frames are not told of."""
_PATHS = sysconfig.get_paths()
_LIBRARIES = tuple(f"{Path(_PATHS[name])}/" for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_SITE = ("/site-packages/", "/dist-packages/")
_ROLES: dict[tuple[str, str], Kind] = {
    ("engine/step_runner.py", "attempt"): "step",
    ("engine/step_runner.py", "attempt_in_thread"): "step",
    ("replay/loop.py", "run_until_blocked"): "workflow",
    ("replay/loop.py", "discard"): "workflow",
}
"""The functions of stepfast that call user code, by file and name, and what they call it as."""
_THROUGH = frozenset({("values/codec.py", "call")})
"""Functions of stepfast between those and the user's function."""
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
    frames = [one for one in _outwards(frame) if one.f_code.co_filename != _STANDS_IN] or [frame]
    innermost = frames[0]
    for index, one in enumerate(frames):
        name = one.f_code.co_filename
        if name in _IMPORTS:
            return _at(innermost, _importer(frames[index:]) or innermost, "import")
        if name.endswith("/ssl.py") and _is_library(name):
            return _at(innermost, _caller(frames[index:]) or innermost, "tls")
        if _is_ours(one):
            return _at(innermost, innermost, _ROLES.get(_name(one.f_code), "stepfast"))
        if not _is_library(name):
            return _at(innermost, one, _role(frames[index:]))
    return _at(innermost, innermost, "stepfast")


def in_step(frame: FrameType | None) -> bool:
    """Whether a step's attempt is under way there: its claim is written, so no other thread would run it as well."""
    return any(_ROLES.get(_name(one.f_code)) == "step" for one in _outwards(frame) if _is_ours(one))


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_OURS)


def _role(frames: list[FrameType]) -> Kind:
    """What user code was called as; a validator or a background task is neither a step nor a workflow."""
    for one in frames:
        if _is_ours(one):
            name = _name(one.f_code)
            if name not in _THROUGH:
                return _ROLES.get(name, "code")
    return "code"


def _name(code: CodeType) -> tuple[str, str]:
    return code.co_filename.removeprefix(_OURS), code.co_name


def _importer(frames: list[FrameType]) -> FrameType | None:
    """The frame whose `import` is being carried out: the first that is not of the import machinery."""
    return next((one for one in frames if one.f_code.co_filename not in _IMPORTS), None)


def _caller(frames: list[FrameType]) -> FrameType | None:
    """The first frame that is of no library."""
    return next((one for one in frames if not _is_library(one.f_code.co_filename)), None)


def _is_library(path: str) -> bool:
    return path.startswith(("<", *_LIBRARIES)) or any(part in path for part in _SITE)


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _at(innermost: FrameType, caller: FrameType, kind: Kind) -> Place:
    return Place(kind, _line(innermost), _line(caller))


def _line(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}, in {frame.f_code.co_name}"
