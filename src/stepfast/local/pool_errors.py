"""Exceptions of a step from one process to another: what the retry policy reads of them, without the objects.

An exception may hold an open socket, or its constructor may take other arguments than pickle passes it. So its classes
are named, and the server makes an exception of the same class without calling the constructor.
"""

from __future__ import annotations

import sys
from typing import Any

from stepfast.errors import RetryAfter, class_of
from stepfast.language.retry import Retry
from stepfast.local.pool_messages import RaisedError


def raised_of(error: BaseException) -> RaisedError:
    """What another process needs to know of an exception."""
    kinds = [kind for kind in type(error).__mro__ if issubclass(kind, BaseException)]
    try:
        message = str(error)
    except Exception:  # a broken __str__
        message = ""
    return RaisedError(
        tuple((kind.__module__, kind.__qualname__) for kind in kinds),
        message.encode("utf-8", "backslashreplace").decode(),
        error.seconds if isinstance(error, RetryAfter) else None,
        tuple(raised_of(member) for member in error.exceptions) if isinstance(error, BaseExceptionGroup) else (),
    )


def exception_of(raised: RaisedError, policy: Retry) -> BaseException:
    """An exception for which `decide` gives the answer that it would give for the original.

    Its class is the nearest base class of the original that this process has. Classes that the policy names are known
    by their names, even if they were made inside a function.
    """
    known = {class_of(kind): kind for kind in (*policy.retry_on, *policy.give_up_on)}
    for names in raised.classes:
        kind = known.get(_full(*names)) or _class_named(*names)
        if kind is None:
            continue
        try:
            return _without_constructor(kind, raised, policy)
        except Exception:  # a __new__ of the class's own, which wants arguments: its base class has to do
            continue
    return Exception(raised.message)


def _without_constructor(kind: type[BaseException], raised: RaisedError, policy: Retry) -> BaseException:
    if issubclass(kind, BaseExceptionGroup):
        return BaseExceptionGroup.__new__(kind, raised.message, [exception_of(part, policy) for part in raised.members])
    error = kind.__new__(kind)
    error.args = (raised.message,)
    if isinstance(error, RetryAfter):
        error.seconds = raised.seconds or 0.0
    return error


def _full(module: str, qualname: str) -> str:
    return f"{module}.{qualname}".removeprefix("builtins.")


def _class_named(module: str, qualname: str) -> type[BaseException] | None:
    """The class of this name in a module that is imported here; None if there is no such class."""
    value: Any = sys.modules.get(module)
    for name in qualname.split("."):
        value = getattr(value, name, None)
    return value if isinstance(value, type) and issubclass(value, BaseException) else None
