"""Settings of events: `[tool.stepfast.webhooks]`, `inbound` and `rules` of pyproject.toml."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_args
from urllib.parse import urlsplit

from stepfast.engine.webhooks import Webhook
from stepfast.errors import StartupError
from stepfast.language.registry import Registry
from stepfast.model import ExecutionStatus
from stepfast.setting_tables import as_table, require_known
from stepfast.webhook_signing import SCHEMES, Scheme, keys_in

S = TypeVar("S")

_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
BUS = r"[A-Za-z0-9._-]{1,256}|arn:aws[a-z-]*:events:[a-z0-9-]+:\d{12}:event-bus/[A-Za-z0-9._/-]+"
"""The name or the ARN of an event bus."""
_URL = re.compile(r"[!-\[\]-~]{1,2000}")  # ASCII without spaces and backslashes
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SSM = "ssm:"
"""What the name of a parameter of Parameter Store begins with in the settings."""
_AWS_SECRET = re.compile(
    r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@-]{1,519}"
    r"|ssm:[A-Za-z0-9/_.-]{1,1011}|(?!whsec_)[A-Za-z0-9/_+=.@-]{1,512}"
)
STATUSES: tuple[str, ...] = get_args(ExecutionStatus)
LONGEST_TOLERANCE = 86400


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """`[tool.stepfast.webhooks.NAME]`, for `stepfast dev`.

    url: the address that changes of executions are posted to.
    secret: where the secret is that signs them: the name of an environment variable, or a file by its path, which has a
    `/`. The secret is `whsec_` and base64 of 24 to 64 bytes; several are separated by spaces, and each of them signs.
    workflows: names or patterns of the workflows, such as `billing-*`. Empty for all.
    statuses: the new statuses to tell of. Empty for all.
    allow_private: whether the address may be one of this machine or of a private network, and without TLS.
    """

    url: str
    secret: str
    workflows: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class InboundSettings:
    """`[tool.stepfast.inbound.NAME]`: webhooks of others that start a workflow.

    workflow: the id of the workflow. Its input is the body of the webhook.
    secret: where `stepfast dev` has the secret, as for a webhook. None leaves the webhook to deployments.
    aws_secret: where a deployment has the secret: the name or the ARN of a secret of Secrets Manager, or `ssm:` and the
    name of a parameter of Parameter Store. None leaves the webhook to `stepfast dev`.
    scheme: who signs: "standard" (Standard Webhooks), "stripe" or "github".
    tolerance: the seconds by which the time of a signature may differ from now.
    """

    workflow: str
    secret: str | None = None
    scheme: Scheme = "standard"
    tolerance: int = 300
    aws_secret: str | None = None


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """`[tool.stepfast.rules.NAME]`, for a deployment: events of EventBridge that start a workflow.

    workflow: the id of the workflow. Its input is the `detail` of the event.
    pattern: which events, as EventBridge reads patterns.
    bus: the name or the ARN of the event bus.
    """

    workflow: str
    pattern: Mapping[str, Any] = field(default_factory=dict)
    bus: str = "default"


def webhook_settings(where: str, table: Mapping[str, Any]) -> dict[str, WebhookSettings]:
    """The webhooks of a parsed table. Raises StartupError, as all functions of this kind here."""
    made = {name: _made(WebhookSettings, f"{where}.{name}", settings) for name, settings in table.items()}
    return checked_webhooks(made, where)


def checked_webhooks(
    webhooks: Mapping[str, WebhookSettings], where: str = "tool.stepfast.webhooks"
) -> dict[str, WebhookSettings]:
    """The webhooks by name, if they are valid."""
    for name, webhook in webhooks.items():
        at = f"[{where}.{name}]"
        _check_name(at, name)
        _check_secret(at, webhook.secret)
        schemes = ("http", "https") if webhook.allow_private else ("https",)
        if not _is_address(webhook.url, schemes):
            plain = "" if webhook.allow_private else "; plain http:// needs allow_private = true"
            wanted = f"an address that begins with {' or '.join(schemes)}://, without a user"
            raise StartupError(f"{at} url is {wanted}{plain}")
        if wrong := sorted(set(webhook.statuses) - set(STATUSES)):
            raise StartupError(f"{at} statuses: {wrong[0]!r} is none; there are: {', '.join(STATUSES)}")
    return dict(webhooks)


def _is_address(url: str, schemes: Sequence[str]) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = _URL.fullmatch(url) is not None and not (parts.username or parts.password or parts.fragment)
    return plain and parts.scheme in schemes and bool(parts.hostname) and port != 0


def inbound_settings(where: str, table: Mapping[str, Any]) -> dict[str, InboundSettings]:
    made = {name: _made(InboundSettings, f"{where}.{name}", settings) for name, settings in table.items()}
    return checked_inbound(made, where)


def checked_inbound(
    made: Mapping[str, InboundSettings], where: str = "tool.stepfast.inbound"
) -> dict[str, InboundSettings]:
    """The webhooks of others by name, if they are valid."""
    for name, inbound in made.items():
        at = f"[{where}.{name}]"
        _check_name(at, name)
        if inbound.secret is None and inbound.aws_secret is None:
            raise StartupError(f"{at} has neither a secret, for `stepfast dev`, nor an aws_secret, for a deployment")
        if inbound.secret is not None:
            _check_secret(at, inbound.secret)
        if inbound.aws_secret is not None and not _AWS_SECRET.fullmatch(inbound.aws_secret):
            raise StartupError(
                f"{at} aws_secret is the name or ARN of a secret of Secrets Manager, or ssm: and a parameter's name"
            )
        if inbound.scheme not in SCHEMES:
            raise StartupError(f"{at} scheme is one of {', '.join(SCHEMES)}, not {inbound.scheme!r}")
        if not 1 <= inbound.tolerance <= LONGEST_TOLERANCE:
            raise StartupError(f"{at} tolerance is a number of seconds from 1 to {LONGEST_TOLERANCE}")
    return dict(made)


def rule_settings(where: str, table: Mapping[str, Any]) -> dict[str, RuleSettings]:
    made = {name: _made(RuleSettings, f"{where}.{name}", settings) for name, settings in table.items()}
    for name, rule in made.items():
        at = f"[{where}.{name}]"
        _check_name(at, name)
        _check_bus(at, rule.bus)
        if not rule.pattern:
            raise StartupError(f"{at} has no pattern, which says which events start the workflow")
    return made


def webhooks_of(settings: Mapping[str, WebhookSettings], environment: Mapping[str, str]) -> list[Webhook]:
    """The webhooks with their keys. Raises StartupError for a secret that is missing or not valid."""
    return [
        Webhook(
            name,
            webhook.url,
            _keys(f"[tool.stepfast.webhooks.{name}]", webhook.secret, "standard", environment),
            webhook.workflows,
            webhook.statuses,
            webhook.allow_private,
        )
        for name, webhook in settings.items()
    ]


def inbound_keys(
    settings: Mapping[str, InboundSettings], environment: Mapping[str, str]
) -> dict[str, tuple[bytes, ...]]:
    """The keys by the names of the inbound webhooks. Raises StartupError, which names the settings."""
    keys = {}
    for name, inbound in settings.items():
        if inbound.secret is not None:
            at = f"[tool.stepfast.inbound.{name}]"
            keys[name] = _keys(at, inbound.secret, inbound.scheme, environment)
    return keys


def deployed_inbound(settings: Mapping[str, InboundSettings]) -> dict[str, InboundSettings]:
    """Those that a deployment takes."""
    return {name: inbound for name, inbound in settings.items() if inbound.aws_secret is not None}


def inbound_text(settings: Mapping[str, InboundSettings]) -> str:
    """Those that a deployment takes, as JSON text for the function that checks them; "" for none."""
    listed = [
        {
            "name": name,
            "workflow": inbound.workflow,
            "scheme": inbound.scheme,
            "tolerance": inbound.tolerance,
            "secret": inbound.aws_secret,
        }
        for name, inbound in deployed_inbound(settings).items()
    ]
    return json.dumps(listed, separators=(",", ":")) if listed else ""


def check_targets(
    settings: Mapping[str, InboundSettings] | Mapping[str, RuleSettings], where: str, registry: Registry
) -> None:
    """Raises StartupError for settings that would start a workflow that there is not."""
    for name, target in settings.items():
        if registry.get(target.workflow) is None:
            known = ", ".join(sorted(registry.workflows)) or "none"
            at = f"[tool.stepfast.{where}.{name}]"
            raise StartupError(f"{at} workflow: none is named {target.workflow!r}; there are: {known}")


def start_template(rule: str, workflow: str) -> str:
    """The message that a rule sends to the timer queue, as EventBridge's input template: `<id>` and `<detail>`.

    EventBridge delivers at least once, also from an archive, and always with the id of the event. So the execution's id
    is made of that.
    """
    head = {"workflow": workflow, "execution_id": f"{rule}.<id>", "labels": {"rule": rule}}
    return json.dumps({"start": head})[:-2] + ', "input": <detail>}}'


def _keys(at: str, secret: str, scheme: Scheme, environment: Mapping[str, str]) -> tuple[bytes, ...]:
    try:
        text = Path(secret).read_text(encoding="utf-8") if "/" in secret else environment.get(secret, "")
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"{at} secret: the file {secret} cannot be read: {type(error).__name__}") from error
    if not text.strip():
        missing = f"the file {secret} is empty" if "/" in secret else f"the environment variable {secret} is not set"
        raise StartupError(f"{at} secret: {missing}; `stepfast webhooks secret` prints a new secret")
    try:
        return keys_in(text, scheme)
    except ValueError as error:
        raise StartupError(f"{at} secret, in {secret}: {error}; `stepfast webhooks secret` prints a new one") from None


# -- checks ------------------------------------------------------------------------------------------------------

_TYPES: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(("url", "secret", "aws_secret", "workflow", "bus", "scheme"), (str, "a text")),
    **dict.fromkeys(("workflows", "statuses"), (list, "a list of texts")),
    "pattern": (dict, "a table"),
    "allow_private": (bool, "true or false"),
    "tolerance": (int, "a whole number"),
}


def _made(kind: type[S], where: str, settings: object) -> S:
    table = as_table(where, settings)
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
    require_known(where, table, known)
    values: dict[str, Any] = {}
    for name, value in table.items():
        wanted, description = _TYPES[name]
        listed: Sequence[object] = value if isinstance(value, list) else [""]
        fits = isinstance(value, wanted) and (wanted is not int or type(value) is int)
        if not fits or value == "" or not all(isinstance(text, str) for text in listed):
            # A secret may stand where the name of one belongs, so that the value is not repeated here.
            raise StartupError(f"[{where}] {name} is {description}")
        values[name] = tuple(value) if isinstance(value, list) else value
    for name in ("url", "secret", "workflow"):
        if name in known and known[name].default is MISSING and name not in values:
            raise StartupError(f"[{where}] has no {name}")
    return kind(**values)


def _check_name(at: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise StartupError(f"{at}: a name is 1 to 60 of A-Z a-z 0-9 _ -")


def _check_secret(at: str, secret: str) -> None:
    if ("/" not in secret and not _VARIABLE.fullmatch(secret)) or secret.startswith("whsec_"):
        raise StartupError(
            f"{at} secret is the name of an environment variable, or a path with a `/`; never the secret itself"
        )


def _check_bus(at: str, bus: str) -> None:
    if not re.fullmatch(BUS, bus):
        raise StartupError(f"{at} bus is the name of an event bus, or its ARN")
