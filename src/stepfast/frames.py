"""Frames and code objects: who calls whom on a stack, and a function that is given other code.

`calls("workflow")` marks a function of stepfast that calls code of users, so that a frame of it is known by its code
object. A name would be anybody's: a user's own function may be called `discard` too. Python's data model and
`inspect` describe the attributes used here. Only `sys._getframe` and `sys._current_frames` are particular to CPython,
which has had both since 2.5 (docs.python.org, module sys).
"""

from __future__ import annotations

import sys
import traceback
import types
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any, Literal, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
Role = Literal["step", "workflow", "through"]
"""What a function calls: a step, workflow code, or whatever its own caller calls."""

_roles: dict[CodeType, Role] = {}


def calls(role: Role) -> Callable[[F], F]:
    """Marks a function by what it calls; the function itself is returned."""

    def marked(function: F) -> F:
        _roles[function.__code__] = role
        return function

    return marked


def role_of(frame: FrameType) -> Role | None:
    """What the function of this frame calls; None for one that is not marked."""
    return _roles.get(frame.f_code)


def frame_above(depth: int) -> FrameType:
    """The frame `depth` calls above the caller's own frame; with 1, the frame of the caller's caller.

    Raises ValueError where the stack is not that deep.
    """
    return sys._getframe(depth + 1)


def frame_of_thread(ident: int) -> FrameType | None:
    """The innermost frame of a thread, by its identifier; None where it has ended."""
    return sys._current_frames().get(ident)


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """The frame, and those that have called it, innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def within_workflow(frame: FrameType | None) -> Iterator[FrameType]:
    """As `outwards`, up to the function that calls the workflow's code, which is left out."""
    for inner in outwards(frame):
        if role_of(inner) == "workflow":
            return
        yield inner


def codes_within_workflow() -> Iterator[CodeType]:
    """The code of the functions that are running as parts of workflow code, innermost first."""
    return (frame.f_code for frame in within_workflow(sys._getframe(1)))


def package_of(frame: FrameType) -> str:
    """The name of the package whose code runs in this frame."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def called_by(packages: frozenset[str], depth: int) -> bool:
    """Whether code of one of the packages stands between a frame and the workflow's loop.

    depth: which frame, counted outwards: 1 is the caller's own.
    """
    frame: FrameType | None = sys._getframe(depth)  # a plain loop, since every reading of a clock calls this
    while frame is not None and _roles.get(frame.f_code) != "workflow":
        if package_of(frame) in packages:
            return True
        frame = frame.f_back
    return False


def local_of(frame: FrameType | None, function: Callable[..., Any], name: str) -> Any:
    """A local variable of the innermost call of a function on this stack; None where the function is not on it."""
    for outer in outwards(frame):
        if outer.f_code is function.__code__:
            return outer.f_locals[name]
    return None


def with_code(function: Any, code: CodeType) -> Any:
    """Replaces the code of a Python function in place, and returns a new function with the code that it had.

    All callers of the function call the new code from then on. Python's data model says that `__code__` is writable.
    """
    plain = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    plain.__kwdefaults__ = function.__kwdefaults__
    function.__code__ = code
    return plain


def selves_of(error: BaseException) -> Iterator[object]:
    """What the methods that an exception has passed through are called on, the outermost first."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if "self" in frame.f_locals:
            yield frame.f_locals["self"]
