"""The page of the settings: names, types and defaults from the classes, what is allowed from their checks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from typing import Any

import griffe

from stepfast import page_sign_on, sign_on
from stepfast.deployment import event_settings, project
from stepfast.deployment.schedules import ScheduledStart
from tests.reference import signatures
from tests.reference.docstrings import entries_of, linked, markdown, wrapped
from tests.reference.surface import Public, Surface, arguments_of, docstring_of

TABLES: tuple[tuple[str, type, Mapping[str, tuple[Any, str]]], ...] = (
    ("[tool.stepfast]", project.Project, project._PROJECT),
    ("[tool.stepfast.pools.NAME]", project.PoolSettings, project._POOL),
    ("[tool.stepfast.schedules.NAME]", ScheduledStart, project._SCHEDULE),
    ("[tool.stepfast.jwt]", sign_on.SignOnSettings, sign_on._SETTINGS),
    ("[tool.stepfast.jwt] client_*", page_sign_on.PageSignOn, page_sign_on.CLIENT_SETTINGS),
    ("[tool.stepfast.webhooks.NAME]", event_settings.WebhookSettings, event_settings._TYPES),
    ("[tool.stepfast.inbound.NAME]", event_settings.InboundSettings, event_settings._TYPES),
    ("[tool.stepfast.rules.NAME]", event_settings.RuleSettings, event_settings._TYPES),
)


def page(surface: Surface, names: Sequence[Public], link: Callable[[str], str]) -> Iterator[str]:
    """The body of the page."""
    yield wrapped(
        "A project's pyproject.toml holds these settings, and each has a default unless the table says otherwise. An "
        "unknown setting and a wrong value are errors when the stack is made. [deploy.md](../deploy.md#settings) has "
        "an example."
    )
    for heading, kind, checks in TABLES:
        target = surface.get(f"{kind.__module__}.{kind.__qualname__}")
        described = entries_of(docstring_of(target), [parameter.name for parameter in arguments_of(target)])
        yield f"## `{heading}`"
        rows = ["| setting | takes | default | meaning |", "|---|---|---|---|"]
        for setting in fields(kind):
            if setting.name in checks:
                meaning = linked(described.get(setting.name, ""), link)
                rows.append(f"| `{setting.name}` | {checks[setting.name][1]} | {_default(setting)} | {meaning} |")
        yield "\n".join(rows)
    yield "## In Python"
    for public in names:
        for member in public.members:
            assert public.module is not None
            assert isinstance(member, griffe.Function)
            yield f"### `{public.name}.{member.name}`"
            statement = f"from {public.module} import {public.name}"
            yield f"```python\n{statement}\n\n{signatures.function(member)}\n```"
            yield markdown(docstring_of(member), [each.name for each in arguments_of(member)], link)


def _default(setting: Field[Any]) -> str:
    """The default as TOML writes it."""
    if setting.default is MISSING:
        return "empty" if setting.default_factory is not MISSING else "needed"
    return "none" if setting.default is None else f"`{json.dumps(setting.default)}`"
