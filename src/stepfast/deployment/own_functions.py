"""A project's own `functions/` folder: one file per Lambda function, deployed in place of stepfast's handler."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from stepfast.errors import StartupError

FOLDER = "functions"
KINDS = ("api", "authorizer", "advancer", "step", "timer", "resume", "sweeper")


def own_functions(folder: Path) -> frozenset[str]:
    """The kinds of function for which a project's folder has a file, `functions/KIND.py`.

    The files are parsed, not imported. Raises StartupError for a file that is not Python or does not define `handler`.
    """
    return frozenset(kind for kind in KINDS if _is_function(folder / FOLDER / f"{kind}.py"))


def _is_function(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        module = ast.parse(path.read_text(encoding="utf-8"), str(path))
    except (SyntaxError, UnicodeDecodeError, ValueError) as error:
        raise StartupError(f"{path} is not Python: {error}") from error
    if "handler" not in set(_bound_names(module.body)):
        raise StartupError(
            f"{path} defines no `handler`, which is what Lambda calls: "
            f"add `from stepfast.functions.{path.stem} import handler`, or move the file out of {FOLDER}/"
        )
    return True


def _bound_names(body: list[ast.stmt]) -> Iterator[str]:
    """Names that statements bind at the top level of a module, those inside `if`, `try` and `with` included."""
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield statement.name
            case ast.Import() | ast.ImportFrom():
                for alias in statement.names:
                    yield alias.asname or alias.name.partition(".")[0]
            case ast.Assign():
                for target in statement.targets:
                    yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.If() | ast.With():
                yield from _bound_names(statement.body)
                yield from _bound_names(getattr(statement, "orelse", []))
            case ast.Try():
                yield from _bound_names([*statement.body, *statement.orelse, *statement.finalbody])
                for excepting in statement.handlers:
                    yield from _bound_names(excepting.body)
            case _:
                pass
