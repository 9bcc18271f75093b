"""Which steps a workflow's code can call, found by following the code without running it.

The search follows the names that a function uses: globals, closures, defaults, attributes of modules, classes and
objects, elements of containers, partials, decorators, imports within functions. It goes on from each function that it
reaches and stops at a step, since calls inside a step are no commands. Where code cannot be followed exactly, the
search includes more steps than are called, never fewer.

It reads bytecode with `dis`, whose instructions differ between versions of CPython. The names used here are those of
CPython 3.11 to 3.13.
"""

from __future__ import annotations

import dis
import functools
import importlib
import inspect
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from stepfast.language.steps import Step, step
from stepfast.language.workflows import Workflow

_LANGUAGE = {step.__module__, Workflow.__module__}
MAX_CONTAINER_ELEMENTS = 10_000
"""The search looks at this many elements of a container, and no more."""
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")
"""Instructions that read an attribute. CPython 3.12 merged LOAD_METHOD into LOAD_ATTR."""
_CONSTRUCTORS = ("__init__", "__new__", "__post_init__", "__init_subclass__", "__set_name__")


@dataclass(slots=True)
class Reached:
    """The steps and workflows that code can call, in the order in which the code names them.

    made: functions called by the workflow that make a step when they run, so the search cannot see that step.
    """

    steps: dict[Step[..., Any], None] = field(default_factory=dict)
    workflows: dict[Workflow[..., Any], None] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)


_holders: dict[type, Callable[[Any], Iterable[object]]] = {}


def steps_held_by(kind: type, held: Callable[[Any], Iterable[object]]) -> None:
    """Says which steps an object of a library's class can call. The code of such a library is not followed.

    kind: the class; objects of its subclasses count too. held: returns the steps and other values of such an object.
    """
    _holders[kind] = held


def reached_by(workflow: Workflow[..., Any]) -> Reached:
    """The steps that an execution of this workflow can call, in the order in which its code names them."""
    walk = _Search()
    walk.value(workflow)
    walk.reached.made += walk.makers_called_by(workflow.function)
    return walk.reached


def defined_in(modules: Iterable[types.ModuleType]) -> Reached:
    """The steps and workflows that are values of modules, also inside containers and classes. No code is followed."""
    walk = _Search(follow=False)
    for module in modules:
        walk.home = module.__name__
        for value in list(vars(module).values()):
            walk.value(value)
    return walk.reached


class _Search:
    """One search, which looks at each object once. home: the module that is searched if code is not followed."""

    def __init__(self, follow: bool = True) -> None:
        self.reached = Reached()
        self.home = ""
        self._follow = follow
        self._seen: dict[int, object] = {}  # keeps the objects alive, so that no id is used twice
        self._stack: list[object] = []
        self._makers: dict[int, str] = {}
        self._calls: dict[int, list[int]] = {}  # by identity, as all functions are in self._seen

    def value(self, value: object) -> None:
        """Visits a value and all values that are reached from it."""
        first, self._stack = self._stack, [value]
        while self._stack:
            reached = _or_none_if_hostile(self._stack.pop())
            if id(reached) in self._seen or isinstance(reached, str | bytes | int | float | complex | None):
                continue
            self._seen[id(reached)] = reached
            with suppress(Exception):  # a proxy object of the program may raise on any access
                self._stack.extend(reversed(list(self._neighbours(reached))))
        self._stack = first

    def makers_called_by(self, function: object) -> list[str]:
        """The functions that refer to @step, among those that this function names directly or through others.

        Functions that are reached only through a class or an object do not count, since a method may never be called.
        """
        callees, stack = dict[int, None](), [id(function)]
        while stack:
            function_id = stack.pop()
            if function_id not in callees:
                callees[function_id] = None
                stack += self._calls.get(function_id, ())
        return [self._makers[function_id] for function_id in callees if function_id in self._makers]

    def _neighbours(self, value: object) -> Iterable[object]:
        """The values that are reached directly from a value."""
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
            return self._of_function(value) if self._follow else _values_held_by(value)
        if isinstance(value, type):
            return self._of_class(value)
        return self._of_object(value)

    # -- functions -----------------------------------------------------------------------------------------

    def _of_function(self, function: types.FunctionType) -> Iterable[object]:
        if not follows(function.__module__):
            return _values_held_by(function)
        named = [*_values_held_by(function)]
        for code in _nested_code(function.__code__):
            named += self._named(code, function)
        named = [_or_none_if_hostile(value) for value in named]
        bare = (value.func if isinstance(value, functools.partial) else value for value in named)
        self._calls[id(function)] = [id(value) for value in bare if isinstance(value, types.FunctionType)]
        return named

    def _named(self, code: types.CodeType, function: types.FunctionType) -> Iterator[object]:
        """The values of the names in a code object: chains of attributes, then the values reached through them."""
        values: list[object] = []
        instructions = list(dis.get_instructions(code))
        for number, instruction in enumerate(instructions):
            if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                values += _follow_attributes(function.__globals__.get(instruction.argval), instructions[number + 1 :])
            # CPython 3.12 replaced LOAD_CLASSDEREF by LOAD_FROM_DICT_OR_DEREF.
            elif instruction.opname in ("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"):
                values += _follow_attributes(_closure_value(function, instruction.argval), instructions[number + 1 :])
            # The compiler pushes the level and the names of an import just before IMPORT_NAME.
            elif instruction.opname == "IMPORT_NAME":
                values += _values_of_import(
                    instruction.argval, instructions[number - 2].argval, instructions[number - 1].argval, function
                )
        words = {*code.co_names, *(constant for constant in code.co_consts if isinstance(constant, str))}
        bare = (value.func if isinstance(value, functools.partial) else value for value in values)
        if any(value is step for value in bare):
            self._makers[id(function)] = f"{function.__module__}.{function.__qualname__}"
        for value in values:
            yield value
            if isinstance(value, Workflow):
                yield value.function  # which runs as a part of this one
            if isinstance(value, types.ModuleType):
                yield from _of_module(value, words)

    # -- classes and objects -------------------------------------------------------------------------------

    def _of_class(self, kind: type, made: bool = False) -> Iterable[object]:
        """The values of a class. made: the object exists, so its constructor does not run again and is left out."""
        if not self._follow and kind.__module__ != self.home:
            return ()
        return [
            value
            for base in kind.__mro__
            if follows(base.__module__)
            for name, value in list(vars(base).items())
            if not (made and name in _CONSTRUCTORS)
            and (isinstance(value, types.FunctionType) or not name.startswith("__"))
            and (not isinstance(value, type) or value.__module__ == kind.__module__)
        ]

    def _of_object(self, value: object) -> Iterable[object]:
        kind = type(value)
        for holder, held in _holders.items():
            if isinstance(value, holder):
                return held(value)
        wrapped = inspect.getattr_static(value, "__wrapped__", None)
        if not follows(kind.__module__):
            # The attributes of library objects are not searched, except for `__wrapped__`, as on a cached function.
            return [wrapped] if wrapped is not None else []
        inner = [wrapped, *(self._of_class(kind, made=True) if self._follow else ())]
        with suppress(TypeError, AttributeError):
            inner += list(vars(value).values())
        for base in kind.__mro__:
            for name in _slots(base):
                with suppress(AttributeError):
                    inner.append(vars(base)[name].__get__(value, kind))
        return inner


def _or_none_if_hostile(value: object) -> object:
    """The value; None for a proxy that raises when its class is read, such as those of web frameworks."""
    try:
        isinstance(value, Step)
    except Exception:
        return None
    return value


def _values_held_by(function: types.FunctionType) -> list[object]:
    """The values that a function holds: defaults, closure, and attributes set by decorators."""
    cells = [_cell_content(cell) for cell in function.__closure__ or ()]
    return [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values(), *cells, *vars(function).values()]


def _cell_content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return None  # not bound yet


def _closure_value(function: types.FunctionType, name: str) -> object:
    names = function.__code__.co_freevars
    return _cell_content((function.__closure__ or ())[names.index(name)]) if name in names else None


def _nested_code(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code of a function, and of the functions, lambdas, classes and comprehensions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested_code(constant)


def _follow_attributes(value: object, rest: list[dis.Instruction]) -> list[object]:
    """The value of `a.b.c`, as far as it is known without running code; for a method also its object."""
    value, owner = _or_none_if_hostile(value), None
    for instruction in rest:
        if instruction.opname not in _ATTRIBUTES or value is None:
            break
        following = _attribute(value, instruction.argval)
        if following is None:
            break
        owner, value = value, _or_none_if_hostile(following)
    method = isinstance(value, types.FunctionType) and not isinstance(owner, types.ModuleType | None)
    return [value, owner] if method else [value]


def _attribute(value: object, name: str) -> object:
    if value is sys.modules["stepfast"]:  # it imports its names on first access
        return getattr(value, name, None)
    if isinstance(value, types.ModuleType):
        return vars(value).get(name)
    attribute = inspect.getattr_static(value, name, None)
    # A property or another descriptor would have to be run. None makes the caller search its whole object instead.
    return attribute if isinstance(attribute, Step | Workflow | types.FunctionType | types.ModuleType | type) else None


def _of_module(module: types.ModuleType, words: AbstractSet[str]) -> Iterator[object]:
    """The values that code may read from a module: the names that it mentions, or all steps if it uses getattr."""
    computed = bool(words & {"getattr", "__dict__", "vars", "attrgetter"})
    for name, value in list(vars(module).items()):
        if name in words or (computed and isinstance(value, Step | Workflow)):
            yield value


def _values_of_import(name: str, level: object, names: object, function: types.FunctionType) -> list[object]:
    """The values of an import inside a function; none where it fails, since it will fail again when it runs."""
    package = function.__globals__.get("__package__") or ""
    asked = "." * (level if isinstance(level, int) else 0) + name
    top = name.partition(".")[0]
    if level == 0 and (top in sys.stdlib_module_names or top == "stepfast"):
        return [step] if top == "stepfast" and isinstance(names, tuple) and "step" in names else []
    try:
        module = importlib.import_module(asked, package or None)
    except Exception:
        return []
    values: list[object] = [module]
    for attribute in names if isinstance(names, tuple) else ():
        if not hasattr(module, attribute):
            with suppress(Exception):
                importlib.import_module(f"{module.__name__}.{attribute}")
        values.append(vars(module).get(attribute))
    return values


def _elements(value: Any) -> Iterator[object]:
    """The elements of a container, MAX_CONTAINER_ELEMENTS at most."""
    try:
        listed = [*value.keys(), *value.values()] if isinstance(value, Mapping) else list(value)
    except Exception:  # a container class of the program may raise anything
        return iter(())
    return iter(listed[:MAX_CONTAINER_ELEMENTS])


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if isinstance(vars(kind).get(name), types.MemberDescriptorType))


# -- which modules' code is followed -----------------------------------------------------------------------


def follows(module: str | None) -> bool:
    """Whether code of this module may call a step: not the standard library, nor a library without stepfast."""
    top = (module or "").partition(".")[0]
    return bool(top) and top not in sys.stdlib_module_names and top != "stepfast" and _may_hold_steps(top)


def follows_anew() -> None:
    """Forgets which packages use stepfast, since more modules may be loaded by now."""
    _may_hold_steps.cache_clear()


@functools.lru_cache(maxsize=4096)
def _may_hold_steps(top: str) -> bool:
    """Whether a top-level package is part of the program, or an installed library that holds steps or workflows."""
    modules = [module for name, module in list(sys.modules.items()) if name == top or name.startswith(f"{top}.")]
    files = [getattr(module, "__file__", None) or "" for module in modules if isinstance(module, types.ModuleType)]
    if not any("site-packages" in file or "dist-packages" in file for file in files):
        return True
    return any(
        issubclass(type(value), Step | Workflow)
        or (issubclass(type(value), types.FunctionType | type) and value.__module__ in _LANGUAGE)
        for module in modules
        if isinstance(module, types.ModuleType)
        for value in list(vars(module).values())
    )
