"""Writes AsyncClient from Client: `python -m tests.client.twin`, or `make async-client`.

Both clients must do the same, so one source has both. A function of it is asynchronous in the twin if it sleeps, does
input or output, or calls a function that does; the writer finds them, and adds `async` and `await`. What needs no
`await` is not copied: the twin imports it.
"""

from __future__ import annotations

import ast
import builtins
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "src" / "stepfast" / "client"
SOURCES = (
    *("replies", "calls", "stacks", "handle", "follow_calls", "update_calls", "hand_calls", "execution", "bulk"),
    *(
        "limit_calls",
        "link_calls",
        "schedule_calls",
        "recording_calls",
        "job_calls",
        "webhook_calls",
        "audit_calls",
        "workflow_calls",
        "client",
    ),
)
CLASSES = (
    *("Calls", "Stacks", "Handle", "FollowCalls", "UpdateCalls", "HandCalls", "Execution"),
    *(
        "LimitCalls",
        "LinkCalls",
        "ScheduleCalls",
        "RecordingCalls",
        "BulkJob",
        "JobCalls",
        "WebhookCalls",
        "AuditCalls",
        "WorkflowCalls",
        "Client",
    ),
)
"""Classes that hold connections: each has a twin."""
RECEIVERS = {"get": {"calls", "_calls", "first", "former", "_home"}, "close": {"self", "calls", "_http"}}
"""Methods that dictionaries and others have as well, with the names of the objects whose method is meant."""
PRIMITIVES = {"sleep", "iter_raw", "stream", "aclose", "__enter__", "__exit__"}
DOCUMENTED = (
    ("It is thread-safe. Close it, or use it as a context manager.", "Use it on one event loop, with `async with`."),
    ("  # noqa: UP028, the asynchronous twin has no `yield from`", ""),
    ("Thread-safe. Client", "For one event loop. Client"),
    (" from the calling thread.", " from the event loop."),
)
"""Sentences of the docstrings that differ; and comments."""


def twins() -> dict[str, str]:
    """The modules of the asynchronous client by the name of their file, as they should be."""
    texts = {name: (FOLDER / f"{name}.py").read_text(encoding="utf-8") for name in SOURCES}
    for sentence, _ in DOCUMENTED:
        count = sum(text.count(sentence) for text in texts.values())
        assert count == (5 if "noqa" in sentence else 1), f"{count} times in the sources of the client: {sentence!r}"
    trees = {name: ast.parse(text) for name, text in texts.items()}
    waiting = _waiting(trees.values())
    return {f"async_{name}.py": _Twin(name, texts[name], trees[name], waiting).written() for name in SOURCES}


def _waiting(trees: object) -> set[str]:
    """The names of the functions that have to be asynchronous."""
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]  # type: ignore[attr-defined]
    waiting = set(PRIMITIVES)
    while True:
        more = {
            function.name
            for function in functions
            if any(isinstance(node, ast.Call) and _waits(node, waiting) for node in ast.walk(function))
        }
        if more <= waiting:
            return waiting
        waiting |= more


def _waits(call: ast.Call, waiting: set[str]) -> bool:
    name, receiver = _called(call)
    if name in RECEIVERS:
        return receiver in RECEIVERS[name]
    if isinstance(call.func, ast.Name):
        return name in waiting and name not in vars(builtins)
    return name in waiting and receiver not in ("shapes", "json", "body")


def _called(call: ast.Call) -> tuple[str, str]:
    """The last name of what is called, and the name before it."""
    match call.func:
        case ast.Name(id=name):
            return name, ""
        case ast.Attribute(attr=name, value=ast.Name(id=receiver) | ast.Attribute(attr=receiver)):
            return name, receiver
        case ast.Attribute(attr=name, value=ast.Call() as inner):
            return name, _called(inner)[0]
        case ast.Attribute(attr=name):
            return name, ""
    return "", ""


class _Twin:
    def __init__(self, name: str, text: str, tree: ast.Module, waiting: set[str]) -> None:
        self._name, self._text, self._tree, self._waiting = name, text, tree, waiting
        self._offsets = [0]
        for line in text.splitlines(keepends=True):
            self._offsets.append(self._offsets[-1] + len(line))
        self._edits: list[tuple[int, int, int, str]] = []
        """Start, rank among the edits of one start, characters to remove, and text to add."""
        self._parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        self._generators = {
            function.name
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef) and any(isinstance(node, ast.Yield) for node in ast.walk(function))
        } | {"iter_raw", "replayed", "started"}

    def written(self) -> str:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call) and _waits(node, self._waiting):
                self._await(node)
            elif isinstance(node, ast.FunctionDef) and node.name in self._waiting:
                self._insert(node, "async ")
                if node.name in self._generators and node.returns is not None:
                    self._insert(node.returns, "Async")
        text = self._with_edits()
        for sentence, other in DOCUMENTED:
            text = text.replace(sentence, other)
        for name in CLASSES:
            text = re.sub(rf"(?<!shapes\.)\b{name}\b", f"Async{name}", text)
        for old, new in (
            ("time.sleep(", "asyncio.sleep("),
            (".iter_raw(", ".aiter_raw("),
            ("_http.close(", "_http.aclose("),
            ("__enter__", "__aenter__"),
            ("__exit__", "__aexit__"),
            ("httpx.BaseTransport", "httpx.AsyncBaseTransport"),
        ):
            text = text.replace(old, new)
        source = f"{self._name}.py"
        header = f'"""The asynchronous twin of {source}: `make async-client` writes it. Change {source}."""\n\n'
        return formatted(header + text[text.index("from __future__") :])

    def _await(self, call: ast.Call) -> None:
        """Makes the call an awaited call, or its loop or block an asynchronous one."""
        parent = self._parents[call]
        name, _ = _called(call)
        if name == "stream":
            for node in ast.walk(self._parents[parent]):
                if isinstance(node, ast.With):
                    self._insert(node, "async ")
        elif name in self._generators:
            assert isinstance(parent, ast.For | ast.comprehension), ast.unparse(parent)
            if isinstance(parent, ast.For):
                self._insert(parent, "async ")
            else:
                start = self._start(parent.target)
                before = self._text.rindex("for ", 0, start)
                self._edits.append((before, 0, 0, "async "))
        else:
            nested = isinstance(parent, ast.Attribute | ast.Subscript)
            self._insert(call, "(await " if nested else "await ")
            if nested:
                assert call.end_lineno is not None
                assert call.end_col_offset is not None
                end = self._offsets[call.end_lineno - 1] + call.end_col_offset
                self._edits.append((end, 0, 0, ")"))

    def _insert(self, node: ast.stmt | ast.expr, text: str) -> None:
        # Of two calls that start at one place, the one that ends later is the outer call: its text comes first.
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        end = self._offsets[node.end_lineno - 1] + node.end_col_offset
        self._edits.append((self._start(node), -end, 0, text))

    def _start(self, node: ast.stmt | ast.expr) -> int:
        return self._offsets[node.lineno - 1] + node.col_offset

    def _with_edits(self) -> str:
        """The text with all edits, without what the twin imports."""
        for node in self._tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign) and not self._copied(node):
                begin = min([node, *getattr(node, "decorator_list", [])], key=lambda part: part.lineno).lineno
                after = [following.lineno for following in self._tree.body if following.lineno > begin]
                following = self._tree.body[self._tree.body.index(node) + 1 :]
                is_documented = following and isinstance(following[0], ast.Expr)
                last = (following[0] if is_documented else node).end_lineno
                assert last is not None, after
                start, end = self._offsets[begin - 1], self._offsets[last]
                self._edits = [edit for edit in self._edits if not start <= edit[0] < end]
                self._edits.append((start, 0, end - start, ""))
        text = self._text
        for position, _, length, addition in sorted(self._edits, reverse=True):
            text = text[:position] + addition + text[position + length :]
        imports = "".join(f"from stepfast.client.{self._name} import {name}\n" for name in self._left_out())
        twinned = "|".join(SOURCES)
        lines = []
        for line in self._imports(text):
            match = re.match(rf"from stepfast\.client\.({twinned}) import (.*)\n", line)
            if match:
                lines += [self._import(match[1], name.strip()) for name in match[2].split(",")]
            else:
                lines.append(line)
        text = "".join(lines)
        place = text.index("\n\n\n") if "\n\n\n" in text else len(text)
        first = next(index for index in (text.find("\nfrom stepfast"), place) if index >= 0)
        return text[:first] + "\nimport asyncio\nfrom collections.abc import AsyncIterator\n" + imports + text[first:]

    def _imports(self, text: str) -> Iterator[str]:
        joined = re.sub(
            r"from (stepfast\.client\.\w+) import \(\n([^)]*)\)\n",
            lambda match: f"from {match[1]} import {', '.join(match[2].replace(',', ' ').split())}\n",
            text,
        )
        yield from joined.splitlines(keepends=True)

    def _import(self, module: str, name: str) -> str:
        twin = name in self._waiting or name in CLASSES
        return f"from stepfast.client.{'async_' if twin else ''}{module} import {name}\n"

    def _copied(self, node: ast.stmt) -> bool:
        return getattr(node, "name", None) in {*self._waiting, *CLASSES}

    def _left_out(self) -> Iterator[str]:
        for node in self._tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not self._copied(node):
                yield node.name
            elif isinstance(node, ast.Assign):
                yield from (target.id for target in node.targets if isinstance(target, ast.Name))
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                yield node.target.id


def formatted(text: str) -> str:
    """The text without unused imports, sorted and formatted."""
    ruff = (sys.executable, "-m", "ruff")
    name = str(FOLDER / "async_client.py")
    rules = ("check", "--fix", "--quiet", "--select", "F401,I", "--stdin-filename", name, "-")
    for arguments in (rules, ("format", "--quiet", "--stdin-filename", name, "-")):
        ran = subprocess.run([*ruff, *arguments], input=text, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr + ran.stdout
        text = ran.stdout
    return text


if __name__ == "__main__":
    for file, text in twins().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
