"""The functions of the version that is imported, in a process of its own, for tests/upgrade/two_versions.py.

Runs under the code of either version: it uses only what both have.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from importlib import import_module
from typing import Any, TypedDict

EFFECTS = "TWO_VERSIONS_FOLDER"
"""The variable with the folder in which steps leave what they have done."""


class Reply(TypedDict, total=False):
    """What a function has answered, or the error that it has raised."""

    answer: Any
    error: str


def queues_of(settings: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The function, the pool and the URL of each queue."""
    for pool, url in settings["queues"].items():
        yield "step", pool, url
    yield "timer", "", settings["timer_queue"]


class Context:
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def main() -> None:
    from stepfast.deployment.settings import Settings
    from stepfast.functions.clients import Clients
    from stepfast.functions.host import Host, OneLoop
    from stepfast.language.registry import Registry
    from tests.upgrade import two_versions_flows as flows

    known = {field.name for field in fields(Settings)}
    asked = json.loads(sys.argv[1])
    settings = Settings(**{name: value for name, value in asked.items() if name in known})
    registry, clients, call = Registry(flows.ALL), Clients(settings.region), OneLoop()
    made: dict[tuple[str, str], Callable[[Any, Any], Any]] = {}
    logging.basicConfig(level=os.environ.get("TWO_VERSIONS_LOG", "CRITICAL"))
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        kind, event, more = json.loads(line)
        key = (kind, json.dumps(more))
        reply: Reply
        try:
            if key not in made:
                build = import_module(f"stepfast.functions.{kind}").build
                made[key] = build(replace(settings, **more), clients, Host(registry=registry, call=call))
            reply = {"answer": made[key](event, Context())}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps(reply) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
