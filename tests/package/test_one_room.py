"""Private names of asyncio, frames and code objects are touched in two files; another that touches them fails here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src" / "stepfast"
ROOMS = ("frames.py", "replay/asyncio_internals.py")
FRAMES = frozenset(
    [
        *("_getframe", "_current_frames", "tb_frame", "cr_frame", "gi_frame", "ag_frame"),
        *("f_back", "f_builtins", "f_code", "f_globals", "f_lasti", "f_lineno", "f_locals"),
        *("__code__", "cr_code", "gi_code", "ag_code", "co_code", "co_consts", "co_filename", "co_freevars", "co_name"),
        *("co_names", "co_qualname", "co_varnames"),
    ]
)
ASYNCIO = frozenset(
    [
        *("_callback", "_callbacks", "_fut_waiter", "_log_destroy_pending", "_ready", "_run", "_scheduled"),
        *("_all_tasks", "_current_tasks", "_enter_task", "_leave_task", "_register_task", "_unregister_task"),
        *("_GatheringFuture", "_child_scopes", "_warn_unawaited_coroutine"),
    ]
)
PUBLIC = frozenset({"_get_running_loop", "_set_running_loop"})
"""In asyncio's own __all__ although they begin with an underscore."""
OURS = frozenset({("self", "_run"), ("self", "_callback")})
"""Common names, which classes of stepfast have too."""
ELSEWHERE: dict[str, set[str]] = {
    # Whether what a discarded replay ran has ended (documented in inspect); asyncio need not warn of it.
    "replay/loop.py": {"ag_frame", "cr_frame"},
    "replay/tasks.py": {"_log_destroy_pending", "cr_frame"},
    # The code that stands in for uuid's functions, given to frames.with_code.
    "replay/interception.py": {"__code__"},
    # By which name the caller of a mock knows it.
    "testing/mocks.py": {"f_globals"},
    # Where a thread stands, as text: the file, the line and the name of a frame.
    "local/stack_positions.py": {"co_filename", "co_name", "f_code", "f_lineno"},
    # What a function of a user names, is and holds: read from its code object, which does not run meanwhile.
    "language/reachable.py": {"__code__", "co_consts", "co_freevars", "co_names"},
    "language/callables.py": {"__code__", "co_filename"},
    # Whether the played loop waits for a timer.
    "simulator/sandbox_loop.py": {"_scheduled"},
}
"""What other files touch still. A name may be taken out of here, not put in: it belongs in one of the rooms."""


def touched(text: str) -> Iterator[str]:
    """The names above that a program reads or writes, as attributes or by getattr, and what is private in asyncio."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute):
            of = ast.unparse(node.value)
            private = of.partition(".")[0] == "asyncio" and node.attr.startswith("_") and node.attr not in PUBLIC
            if private or node.attr in FRAMES or (node.attr in ASYNCIO and (of, node.attr) not in OURS):
                yield node.attr
        elif isinstance(node, ast.Constant) and node.value in FRAMES | ASYNCIO:
            yield str(node.value)


def files() -> dict[str, set[str]]:
    paths = {str(path.relative_to(SOURCES)): path for path in sorted(SOURCES.rglob("*.py"))}
    return {name: set(touched(path.read_text(encoding="utf-8"))) for name, path in paths.items()}


def test_only_the_rooms_touch_frames_code_objects_and_what_is_private_in_asyncio() -> None:
    outside = {name: names for name, names in files().items() if names and name not in ROOMS}
    new = {name: sorted(names - ELSEWHERE.get(name, set())) for name, names in outside.items()}
    assert not {name: names for name, names in new.items() if names}, f"move these into one of {ROOMS}"


def test_the_list_of_other_files_holds_nothing_that_is_gone() -> None:
    present = files()
    gone = {name: sorted(names - present.get(name, set())) for name, names in ELSEWHERE.items()}
    assert not {name: names for name, names in gone.items() if names}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_found(room: str) -> None:
    assert files()[room]


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("import sys\nsys._getframe(1)", "_getframe"),
        ("frame.f_locals['self']", "f_locals"),
        ("getattr(loop, '_ready', ())", "_ready"),
        ("handle._run()", "_run"),
        ("asyncio.tasks._anything(task)", "_anything"),
        ("function.__code__ = other", "__code__"),
    ],
)
def test_a_touch_is_noticed(program: str, name: str) -> None:
    assert list(touched(program)) == [name]


@pytest.mark.parametrize("program", ["self._run()", "asyncio._get_running_loop()", "self._run = run"])
def test_a_name_of_ours_is_none(program: str) -> None:
    assert list(touched(program)) == []
