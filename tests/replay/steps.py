"""Steps that the replay tests share; `called` tells that a step's function has really run."""

from __future__ import annotations

from stepfast import step

called: list[str] = []


@step
def echo(value: int) -> int:
    called.append(f"echo {value}")
    return value


@step
async def double(value: int) -> int:
    called.append(f"double {value}")
    return 2 * value


@step
def note(text: str) -> str:
    called.append(f"note {text}")
    return text


@step
def boom(text: str = "boom") -> int:
    called.append(f"boom {text}")
    raise ValueError(text)
