"""Signatures as a user reads them: constants as values, without `self`, one argument a line where they are long."""

from __future__ import annotations

from collections.abc import Iterator

import griffe

WIDTH = 100
"""A longer signature has each argument in a line of its own."""
_VARIABLES = ("TypeVar", "ParamSpec")


def function(target: griffe.Function) -> str:
    """The signatures of a function, which are several where it is overloaded, as Python."""
    decorators = "".join(
        f"@{decorator.value}\n" for decorator in target.decorators if str(decorator.value) != "overload"
    )
    start = "async def" if "async" in target.labels else "def"
    return "\n".join(
        decorators + call(f"{start} {target.name}", signature.parameters, f" -> {signature.returns or 'None'}")
        for signature in target.overloads or [target]
    )


def constructor(target: griffe.Class) -> str:
    """A class as a call that makes an object of it."""
    return call(f"class {target.name}", target.parameters, "")


def call(name: str, parameters: griffe.Parameters, end: str) -> str:
    """`name(parameters)end`, on one line if it fits."""
    texts = list(_texts(parameters))
    line = f"{name}({', '.join(texts)}){end}"
    if len(line) <= WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {text},\n" for text in texts) + f"){end}"


def _texts(parameters: griffe.Parameters) -> Iterator[str]:
    previous: griffe.ParameterKind | None = None
    for parameter in parameters:
        if parameter.name in ("self", "cls"):
            continue
        kind = parameter.kind
        if previous is griffe.ParameterKind.positional_only and kind is not previous:
            yield "/"
        if kind is griffe.ParameterKind.keyword_only and previous not in (kind, griffe.ParameterKind.var_positional):
            yield "*"
        previous = kind
        yield _text(parameter)
    if previous is griffe.ParameterKind.positional_only:
        yield "/"


def _text(parameter: griffe.Parameter) -> str:
    stars = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}
    text = stars.get(parameter.kind or griffe.ParameterKind.positional_or_keyword, "") + parameter.name
    if parameter.annotation is not None:
        text += f": {parameter.annotation}"
    if parameter.default is not None and parameter.kind not in stars:
        text += f" = {default(parameter.default)}" if parameter.annotation is not None else f"={parameter.default}"
    return text


def default(value: str | griffe.Expr) -> str:
    """A default: of a constant of the package its value, and an ellipsis for a marker such as `<as declared>`."""
    if not isinstance(value, griffe.ExprName):
        return str(value)
    constant = of_package(value)
    if not isinstance(constant, griffe.Attribute) or constant.value is None:
        return str(value)
    marker = "type(" in str(constant.value) or str(constant.value) == "Any"
    return "..." if marker else str(constant.value)


def of_package(name: griffe.ExprName) -> griffe.Object | None:
    """The object of stepfast that a name in a signature stands for, if it is one."""
    if not name.canonical_path.startswith("stepfast."):
        return None
    target: object = name.resolved
    if isinstance(target, griffe.Alias):
        target = target.final_target
    return target if isinstance(target, griffe.Object) else None


def named_in(expressions: list[str | griffe.Expr | None]) -> Iterator[griffe.Object]:
    """The classes and the aliases of types of stepfast that annotations name, with those that the aliases name."""
    for expression in expressions:
        if not isinstance(expression, griffe.Expr):
            continue
        for part in expression.iterate(flat=True):
            if not isinstance(part, griffe.ExprName):
                continue
            target = of_package(part)
            if isinstance(target, griffe.Class):
                yield target
            elif isinstance(target, griffe.Attribute) and not str(target.value).startswith(_VARIABLES):
                yield target
                yield from named_in([target.value])


def annotations_of(target: griffe.Function) -> list[str | griffe.Expr | None]:
    """The annotations of a function, and those of its overloads."""
    signatures = target.overloads or [target]
    return [
        annotation
        for signature in signatures
        for annotation in (*(parameter.annotation for parameter in signature.parameters), signature.returns)
    ]
