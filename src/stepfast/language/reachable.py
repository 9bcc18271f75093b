"""Which steps a workflow's code can call, found by following the code without running it.

Followed are the names that a function uses: globals, closures, defaults, attributes of modules, classes and
objects, elements of containers, partials, decorators, imports within functions; and so on from each function that
is found. A step ends the way: what it calls is its own work and no command. Where code cannot be followed
exactly, more is taken than is called, never less.
"""

from __future__ import annotations

import dis
import functools
import importlib
import inspect
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from stepfast.language.steps import Step, step
from stepfast.language.workflows import Workflow

_LANGUAGE = {step.__module__, Workflow.__module__}
LARGEST = 10_000
"""Elements of one container that are looked at."""
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")
_CONSTRUCTORS = ("__init__", "__new__", "__post_init__", "__init_subclass__", "__set_name__")


@dataclass(slots=True)
class Reached:
    """What code can call. made: functions that the workflow calls and that make a step then, so that none is seen."""

    steps: dict[Step[..., Any], None] = field(default_factory=dict)
    workflows: dict[Workflow[..., Any], None] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)


def reached_by(workflow: Workflow[..., Any]) -> Reached:
    """The steps that an execution of this workflow may ask for, in the order in which its code names them."""
    walk = _Walk()
    walk.value(workflow)
    walk.reached.made += walk.makers_called_by(workflow.function)
    return walk.reached


def defined_in(modules: Iterable[types.ModuleType]) -> Reached:
    """The steps and workflows that are values of modules, also within containers and classes; no code is followed."""
    walk = _Walk(follow=False)
    for module in modules:
        walk.home = module.__name__
        for value in list(vars(module).values()):
            walk.value(value)
    return walk.reached


class _Walk:
    """One search; each object is looked at once. home: the module whose values are looked at, without following."""

    def __init__(self, follow: bool = True) -> None:
        self.reached = Reached()
        self.home = ""
        self._follow = follow
        self._seen: dict[int, object] = {}  # the objects themselves, so that no id comes twice
        self._stack: list[object] = []
        self._makers: dict[int, str] = {}
        self._calls: dict[int, list[int]] = {}  # by identity, as all functions are in self._seen

    def value(self, value: object) -> None:
        """Takes in a value and all that is reached from it."""
        first, self._stack = self._stack, [value]
        while self._stack:
            one = _safe(self._stack.pop())
            if id(one) in self._seen or isinstance(one, str | bytes | int | float | complex | None):
                continue
            self._seen[id(one)] = one
            with suppress(Exception):  # a proxy of the program's own may raise whatever it is asked
                self._stack.extend(reversed(list(self._within(one))))
        self._stack = first

    def makers_called_by(self, function: object) -> list[str]:
        """Functions that refer to @step, of those that this one names, or that are named by one which it names.

        What only a class or an object brings along is not taken for called: nobody is refused for a method unused.
        """
        found, stack = dict[int, None](), [id(function)]
        while stack:
            one = stack.pop()
            if one not in found:
                found[one] = None
                stack += self._calls.get(one, ())
        return [self._makers[one] for one in found if one in self._makers]

    def _within(self, value: object) -> Iterable[object]:
        """What is one step further on."""
        if isinstance(value, Step):
            self.reached.steps[value] = None
            return ()
        if isinstance(value, Workflow):
            self.reached.workflows[value] = None
            return (value.function,) if self._follow else ()
        if isinstance(value, functools.partial):
            return (value.func, *value.args, *value.keywords.values())
        if isinstance(value, types.MethodType):
            return (value.__func__, value.__self__)
        if isinstance(value, staticmethod | classmethod):
            return (value.__func__,)
        if isinstance(value, property):
            return (value.fget,)
        if isinstance(value, Mapping | list | tuple | AbstractSet | types.MappingProxyType):
            return _elements(value)
        if isinstance(value, types.ModuleType):
            return ()
        if isinstance(value, types.FunctionType):
            return self._of_function(value) if self._follow else _carried(value)
        if isinstance(value, type):
            return self._of_class(value)
        return self._of_object(value)

    # -- functions -----------------------------------------------------------------------------------------

    def _of_function(self, function: types.FunctionType) -> Iterable[object]:
        if not follows(function.__module__):
            return _carried(function)
        named = [*_carried(function)]
        for code in _codes(function.__code__):
            named += self._named(code, function)
        named = [_safe(one) for one in named]
        bare = (one.func if isinstance(one, functools.partial) else one for one in named)
        self._calls[id(function)] = [id(one) for one in bare if isinstance(one, types.FunctionType)]
        return named

    def _named(self, code: types.CodeType, function: types.FunctionType) -> Iterator[object]:
        """The values of the names in one code object: chains of attributes first, then what they may lead to."""
        found: list[object] = []
        steps = list(dis.get_instructions(code))
        for number, one in enumerate(steps):
            if one.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                found += _chain(function.__globals__.get(one.argval), steps[number + 1 :])
            elif one.opname in ("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"):
                found += _chain(_cell(function, one.argval), steps[number + 1 :])
            elif one.opname == "IMPORT_NAME":
                found += _imported(one.argval, steps[number - 2].argval, steps[number - 1].argval, function)
        words = {*code.co_names, *(one for one in code.co_consts if isinstance(one, str))}
        bare = (one.func if isinstance(one, functools.partial) else one for one in found)
        if any(one is step for one in bare):
            self._makers[id(function)] = f"{function.__module__}.{function.__qualname__}"
        for value in found:
            yield value
            if isinstance(value, Workflow):
                yield value.function  # which runs as a part of this one
            if isinstance(value, types.ModuleType):
                yield from _of_module(value, words)

    # -- classes and objects -------------------------------------------------------------------------------

    def _of_class(self, kind: type, made: bool = False) -> Iterable[object]:
        """The values of a class. made: of an object that is there already, whose constructor has run."""
        if not self._follow and kind.__module__ != self.home:
            return ()
        return [
            value
            for one in kind.__mro__
            if follows(one.__module__)
            for name, value in list(vars(one).items())
            if not (made and name in _CONSTRUCTORS)
            and (isinstance(value, types.FunctionType) or not name.startswith("__"))
            and (not isinstance(value, type) or value.__module__ == kind.__module__)
        ]

    def _of_object(self, value: object) -> Iterable[object]:
        kind = type(value)
        wrapped = inspect.getattr_static(value, "__wrapped__", None)
        if not follows(kind.__module__):
            # Of a library's objects only what they are known to hold: a cached function, a registry of functions.
            return [wrapped] if wrapped is not None else []
        inner = [wrapped, *(self._of_class(kind, made=True) if self._follow else ())]
        with suppress(TypeError, AttributeError):
            inner += list(vars(value).values())
        for one in kind.__mro__:
            for name in _slots(one):
                with suppress(AttributeError):
                    inner.append(vars(one)[name].__get__(value, kind))
        return inner


def _safe(value: object) -> object:
    """The value; None for a proxy that raises when it is asked for its class, as those of web frameworks do."""
    try:
        isinstance(value, Step)
    except Exception:
        return None
    return value


def _carried(function: types.FunctionType) -> list[object]:
    """What a function has with it: defaults, closure, the attributes that decorators leave on it."""
    cells = [_content(cell) for cell in function.__closure__ or ()]
    return [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values(), *cells, *vars(function).values()]


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return None  # not bound yet


def _cell(function: types.FunctionType, name: str) -> object:
    names = function.__code__.co_freevars
    return _content((function.__closure__ or ())[names.index(name)]) if name in names else None


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A function's code, and that of the functions, lambdas, classes and comprehensions within it."""
    yield code
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            yield from _codes(one)


def _chain(value: object, rest: list[dis.Instruction]) -> list[object]:
    """The value of `a.b.c`, as far as it can be told without running anything; of a method its object as well."""
    value, owner = _safe(value), None
    for one in rest:
        if one.opname not in _ATTRIBUTES or value is None:
            break
        following = _attribute(value, one.argval)
        if following is None:
            break
        owner, value = value, _safe(following)
    method = isinstance(value, types.FunctionType) and not isinstance(owner, types.ModuleType | None)
    return [value, owner] if method else [value]


def _attribute(value: object, name: str) -> object:
    if value is sys.modules["stepfast"]:  # which loads its names when they are first asked for
        return getattr(value, name, None)
    if isinstance(value, types.ModuleType):
        return vars(value).get(name)
    found = inspect.getattr_static(value, name, None)
    # A method is looked at as such; a property or another descriptor would have to be run: its object is taken whole.
    return found if isinstance(found, Step | Workflow | types.FunctionType | types.ModuleType | type) else None


def _of_module(module: types.ModuleType, words: AbstractSet[str]) -> Iterator[object]:
    """What code that holds a module may take from it: the names that it mentions, or all of its steps by getattr."""
    computed = bool(words & {"getattr", "__dict__", "vars", "attrgetter"})
    for name, value in list(vars(module).items()):
        if name in words or (computed and isinstance(value, Step | Workflow)):
            yield value


def _imported(name: str, level: object, names: object, function: types.FunctionType) -> list[object]:
    """What an import within a function brings; what cannot be imported here fails where it is run."""
    package = function.__globals__.get("__package__") or ""
    asked = "." * (level if isinstance(level, int) else 0) + name
    top = name.partition(".")[0]
    if level == 0 and (top in sys.stdlib_module_names or top == "stepfast"):
        return [step] if top == "stepfast" and isinstance(names, tuple) and "step" in names else []
    try:
        module = importlib.import_module(asked, package or None)
    except Exception:
        return []
    found: list[object] = [module]
    for one in names if isinstance(names, tuple) else ():
        if not hasattr(module, one):
            with suppress(Exception):
                importlib.import_module(f"{module.__name__}.{one}")
        found.append(vars(module).get(one))
    return found


def _elements(value: Any) -> Iterator[object]:
    """The elements of a container, without those beyond the first thousands."""
    try:
        listed = [*value.keys(), *value.values()] if isinstance(value, Mapping) else list(value)
    except Exception:  # a container of the program's own, which may do anything
        return iter(())
    return iter(listed[:LARGEST])


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(one for one in names if isinstance(vars(kind).get(one), types.MemberDescriptorType))


# -- which modules' code is followed -----------------------------------------------------------------------


def follows(module: str | None) -> bool:
    """Whether code of this module may lead to a step: not Python's own, nor that of a library without stepfast."""
    top = (module or "").partition(".")[0]
    return bool(top) and top not in sys.stdlib_module_names and top != "stepfast" and _knows(top)


def follows_anew() -> None:
    """Forgets which packages know stepfast: more modules may be loaded by now."""
    _knows.cache_clear()


@functools.lru_cache(maxsize=4096)
def _knows(top: str) -> bool:
    """Whether a top-level package is no installed library, or one whose modules hold something of stepfast's."""
    modules = [one for name, one in list(sys.modules.items()) if name == top or name.startswith(f"{top}.")]
    files = [getattr(one, "__file__", None) or "" for one in modules if isinstance(one, types.ModuleType)]
    if not any("site-packages" in one or "dist-packages" in one for one in files):
        return True
    return any(
        issubclass(type(value), Step | Workflow)
        or (issubclass(type(value), types.FunctionType | type) and value.__module__ in _LANGUAGE)
        for one in modules
        if isinstance(one, types.ModuleType)
        for value in list(vars(one).values())
    )
