"""`[tool.stepfast]` of pyproject.toml: the settings of a deployment."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from stepfast.deployment.event_settings import (
    BUS,
    InboundSettings,
    RuleSettings,
    WebhookSettings,
    inbound_settings,
    rule_settings,
    webhook_settings,
)
from stepfast.deployment.limit_settings import LimitSettings
from stepfast.deployment.schedules import ScheduledStart
from stepfast.engine.schedule_items import MOST_JITTER, OVERLAPS
from stepfast.errors import StartupError
from stepfast.model import MAX_CHILD_DEPTH, SIGNAL_LIMITS
from stepfast.page_sign_on import PageSignOn
from stepfast.setting_tables import as_table, require_known
from stepfast.sign_on import SignOnSettings

__all__ = [
    "InboundSettings",
    "LimitSettings",
    "PageSignOn",
    "PoolSettings",
    "Project",
    "RuleSettings",
    "SignOnSettings",
    "WebhookSettings",
]

T = TypeVar("T")

LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""The numbers of days for which CloudWatch can keep logs."""
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_STREAM = r"arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:\d{12}:table/[A-Za-z0-9_.-]+/stream/[^/\s]+"
_LAYER = r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:layer:[A-Za-z0-9_-]+:\d+"
_CERTIFICATE = r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[A-Za-z0-9-]+"
_DOMAIN = r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
_URL = r"https?://[A-Za-z0-9.:\[\]-]{1,255}(/[A-Za-z0-9._~/-]{0,200})?"
_IMAGE = r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}"
_BUCKET = r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
EVENT_TABLES = ("webhooks", "inbound", "rules")
_KMS_KEY = r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)/[A-Za-z0-9/_-]{1,256}|alias/[A-Za-z0-9/_-]{1,250}"
_OURS = ("STEPFAST_", "AWS_", "LAMBDA_", "POWERTOOLS_")


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """`[tool.stepfast.pools.NAME]`.

    memory: the memory of the pool's function in MB.
    timeout: the timeout of the function in seconds. None derives it from the steps.
    max_concurrency: the most invocations that run at once; with `stepfast dev`, the most steps. None sets no limit.
    processes: with `stepfast dev`, the number of processes that run the pool's `def` steps. None runs these steps in
    threads of the server. A deployment does not use it, since each invocation has a process of its own.
    batch_size: the most messages that one invocation handles at once.
    provisioned: how many environments are kept warm.
    environment: environment variables of the function, by name.
    """

    memory: int = 256
    timeout: int | None = None
    max_concurrency: int | None = None
    processes: int | None = None
    batch_size: int = 1
    provisioned: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Project:
    """`[tool.stepfast]`. Every setting has a default that works.

    workflows: the folder of the workflows, relative to the project.
    retention_days: how long executions that are SUCCEEDED or CANCELLED are kept. 0 keeps them for ever; FAILED ones are
    always kept.
    log_retention_days: how long logs are kept.
    listing_shards: over how many partitions the index of all executions is spread. More of them allow more starts per
    second and make lists slower.
    auth: "keys" asks callers for an API key; "jwt" for a key or a token of your sign-on, by the table `jwt`; "iam" asks
    them to sign requests with AWS credentials.
    authorizer_cache: seconds for which the gateway remembers that a key or a token is valid; 0 checks every request.
    Meanwhile a revoked key or an expired token still works, and only the header `Authorization` is read.
    memory: the memory in MB of the functions that run workflow code but no steps.
    parallelization: how many batches of one stream shard are advanced at once.
    sweep_minutes: the minutes between two sweeps.
    tracing: whether the functions are traced by X-Ray.
    opentelemetry: whether executions are traces of OpenTelemetry, and steps spans. It also applies to `stepfast dev`.
    opentelemetry_layer: the layer with OpenTelemetry's SDK that the functions get, by its ARN, such as ADOT's for
    Python. It needs `opentelemetry`.
    log_values: whether inputs, outputs and errors of executions and steps are logged. They are kept as long as the
    logs.
    max_signals: the most signals that an execution takes in all. It also applies to `stepfast dev`.
    max_signal_bytes: the most bytes of payloads of signals that an execution takes in all. It also applies to `stepfast
    dev`.
    max_child_depth: the most executions that a child may have above it. It stops a workflow that starts itself
    without end. It also applies to `stepfast dev`.
    packaging: what the functions are made of: "zip", of at most 250 MB, or "image", a container image, for which the
    deployment needs docker or a program like it.
    image_base: the image to begin with in place of AWS's for Python, with the programs that steps call. It has Lambda's
    runtime client and the Python of the target. It is for `packaging = "image"`.
    snap_start: whether functions start from snapshots, so that the first request after a pause is quicker.
    alarm_email: the address that alarms are sent to.
    public_url: what the addresses of answer links begin with. None takes the address of the API, and with
    `stepfast dev` that of the server.
    domain_name: a domain name of your own for the API. It needs `certificate`.
    certificate: the certificate of `domain_name`, by its ARN, in the region of the stack.
    vpc: the VPC that the functions run in, by its id. It needs a way to AWS's services.
    table_stream: an existing table to use in place of a new one, by the ARN of its stream.
    bucket: an existing bucket to use in place of a new one.
    kms_key: the KMS key that values of executions are encrypted with, by its ARN or alias. It applies to deployments.
    key_table: an existing table of data keys to use in place of a new one. It needs `kms_key`.
    key_file: the file of the keys that values are encrypted with, from the project's folder. It is for `stepfast dev`.
    encrypt_new: whether new executions are encrypted. `false` leaves encrypted ones as they are, which need the key.
    audit_days: for how many days the audit list keeps who has changed what. 0 keeps no list. It also applies to
    `stepfast dev`.
    audit_all: whether the audit list has starts, signals and updates, too, which costs a deployment two writes each. It
    also applies to `stepfast dev`.
    pools: the settings of pools, by the name of the pool.
    schedules: scheduled starts, by the name of the schedule.
    jwt: whose tokens are taken with auth = "jwt" (docs/access.md).
    limits: numbers of limits, by the name of the limit. They win over code, and also apply to `stepfast dev`.
    event_bus: the event bus of EventBridge that changes of executions of a deployment are sent to, by its name or ARN.
    None sends none (docs/events.md).
    webhooks: where `stepfast dev` posts changes of executions to, by name.
    inbound: webhooks of others that start workflows of `stepfast dev`, by name.
    rules: events of EventBridge that start workflows of a deployment, by name.
    """

    workflows: str = "workflows"
    retention_days: int = 90
    log_retention_days: int = 30
    listing_shards: int = 8
    auth: str = "keys"
    authorizer_cache: int = 0
    memory: int = 512
    parallelization: int = 10
    sweep_minutes: int = 5
    tracing: bool = False
    opentelemetry: bool = False
    opentelemetry_layer: str | None = None
    log_values: bool = False
    max_signals: int = SIGNAL_LIMITS.count
    max_signal_bytes: int = SIGNAL_LIMITS.bytes
    max_child_depth: int = MAX_CHILD_DEPTH
    packaging: str = "zip"
    image_base: str | None = None
    snap_start: bool = False
    alarm_email: str | None = None
    public_url: str | None = None
    domain_name: str | None = None
    certificate: str | None = None
    vpc: str | None = None
    table_stream: str | None = None
    bucket: str | None = None
    kms_key: str | None = None
    key_table: str | None = None
    key_file: str | None = None
    encrypt_new: bool = True
    audit_days: int = 90
    audit_all: bool = False
    pools: Mapping[str, PoolSettings] = field(default_factory=dict)
    schedules: Mapping[str, ScheduledStart] = field(default_factory=dict)
    limits: Mapping[str, LimitSettings] = field(default_factory=dict)
    event_bus: str | None = None
    webhooks: Mapping[str, WebhookSettings] = field(default_factory=dict)
    inbound: Mapping[str, InboundSettings] = field(default_factory=dict)
    rules: Mapping[str, RuleSettings] = field(default_factory=dict)
    jwt: SignOnSettings | None = None

    @classmethod
    def read(cls, path: Path | str, overrides: Mapping[str, Any] | None = None) -> Project:
        """The settings in a pyproject.toml. They are the defaults where there is no such file.

        path: the file, or a folder that holds it.
        overrides: settings that replace those of the file. Those of a pool or a schedule are replaced one by one, and
        so are the variables in the `environment` of a pool.

        Raises StartupError, which names the setting that is wrong.
        """
        settings = _tool_table(Path(path))
        return cls.of(overridden(settings, overrides) if overrides else settings)

    @classmethod
    def of(cls, table: Mapping[str, Any], where: str = "tool.stepfast") -> Project:
        """The settings in a parsed `[tool.stepfast]` `table`. Raises StartupError, which names the wrong setting.

        where: the name of the table in errors.
        """
        values = dict(table)
        pools = as_table(f"{where}.pools", values.pop("pools", {}))
        schedules = as_table(f"{where}.schedules", values.pop("schedules", {}))
        limits = as_table(f"{where}.limits", values.pop("limits", {}))
        tables = {name: as_table(f"{where}.{name}", values.pop(name, {})) for name in EVENT_TABLES}
        jwt = values.pop("jwt", None)
        checked = _checked(cls, where, values, _PROJECT)
        if (checked.get("auth") == "jwt") != (jwt is not None):
            raise StartupError(f'[{where}] auth = "jwt" and the table [{where}.jwt] belong together')
        return cls(
            **checked,
            pools={name: _pool_settings(f"{where}.pools.{name}", settings) for name, settings in pools.items()},
            schedules={name: _scheduled_start(f"{where}.schedules", name, table) for name, table in schedules.items()},
            limits={name: _limit_settings(f"{where}.limits.{name}", settings) for name, settings in limits.items()},
            webhooks=webhook_settings(f"{where}.webhooks", tables["webhooks"]),
            inbound=inbound_settings(f"{where}.inbound", tables["inbound"]),
            rules=rule_settings(f"{where}.rules", tables["rules"]),
            jwt=None if jwt is None else SignOnSettings.of(jwt, f"{where}.jwt"),
        )


def _tool_table(path: Path) -> dict[str, Any]:
    """`[tool.stepfast]` of a pyproject.toml; empty where there is no such file."""
    if path.is_dir():
        path = path / "pyproject.toml"
    if not path.is_file():
        return {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartupError(f"{path} is not TOML: {error}") from error
    return as_table("tool.stepfast", as_table("tool", document.get("tool", {})).get("stepfast", {}))


def overridden(settings: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A `[tool.stepfast]` table with `overrides` in it, and the tables of pools and schedules merged."""
    merged = {**settings, **overrides}
    for tables in {"pools", "schedules", "limits", *EVENT_TABLES} & overrides.keys():
        held = as_table(f"tool.stepfast.{tables}", settings.get(tables, {}))
        new = as_table(f"tool.stepfast.{tables}", overrides[tables])
        merged[tables] = {**held, **{name: _with(held.get(name, {}), table) for name, table in new.items()}}
    return merged


def _with(held: Any, new: Any) -> Any:
    if not (isinstance(held, dict) and isinstance(new, dict)):
        return new
    return {**held, **{key: _with(held.get(key), new[key]) if key == "environment" else new[key] for key in new}}


def _pool_settings(where: str, settings: object) -> PoolSettings:
    checked = _checked(PoolSettings, where, as_table(where, settings), _POOL)
    for variable in checked.get("environment", {}):
        ours = variable.startswith(_OURS) and variable != "POWERTOOLS_LOG_LEVEL"
        if ours or not _VARIABLE.fullmatch(variable):
            raise StartupError(
                f"[{where}] environment: {variable!r} cannot be set: a name is letters, digits and _, "
                f"and none that begins with {', '.join(_OURS)}"
            )
    return PoolSettings(**checked)


def _limit_settings(where: str, settings: object) -> LimitSettings:
    return LimitSettings(**_checked(LimitSettings, where, as_table(where, settings), _LIMIT))


def _scheduled_start(schedules: str, name: str, settings: object) -> ScheduledStart:
    where = f"{schedules}.{name}"
    checked = _checked(ScheduledStart, where, as_table(where, settings), _SCHEDULE)
    for needed in ("workflow", "expression"):
        if needed not in checked:
            raise StartupError(f"[{where}] has no {needed}, without which it starts nothing")
    return ScheduledStart(name, **checked)


# -- checks ---------------------------------------------------------------------------------------------

Check = Callable[[Any], bool]


def _whole_number(least: int, most: int) -> tuple[Check, str]:
    return lambda value: type(value) is int and least <= value <= most, f"a whole number from {least} to {most}"


def _one_of(*values: object) -> tuple[Check, str]:
    choices = ", ".join(str(choice) for choice in values)
    return lambda value: type(value) in {type(choice) for choice in values} and value in values, f"one of {choices}"


def _text_matching(pattern: str, description: str) -> tuple[Check, str]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None, description


def is_inside(path: object) -> bool:
    """Whether this is a relative path that stays within the project's folder, as the deployed bundle requires."""
    parts = path.removesuffix("/").split("/") if isinstance(path, str) else [""]
    return not {"", ".", ".."} & set(parts) and "\\" not in str(path)


_FLAG: tuple[Check, str] = (lambda value: isinstance(value, bool), "true or false")
_TEXT: tuple[Check, str] = (lambda value: isinstance(value, str) and bool(value.strip()), "a text")
_TEXTS: tuple[Check, str] = (
    lambda value: isinstance(value, dict) and all(isinstance(text, str) for text in value.values()),
    "a table of texts",
)
_MEMORY = _whole_number(128, 10240)
_POOL: Mapping[str, tuple[Check, str]] = {
    "memory": _MEMORY,
    "timeout": _whole_number(1, 900),
    "max_concurrency": _whole_number(2, 1000),
    "processes": _whole_number(1, 256),
    "batch_size": _whole_number(1, 10),
    "provisioned": _whole_number(0, 1000),
    "environment": _TEXTS,
}
_ABOVE_ZERO: tuple[Check, str] = (
    lambda value: type(value) in (int, float) and 0 < value < float("inf"),
    "a number above 0",
)
_LIMIT: Mapping[str, tuple[Check, str]] = {
    "rate": _ABOVE_ZERO,
    "per": _ABOVE_ZERO,
    "burst": _whole_number(1, 1_000_000),
    "concurrency": _whole_number(1, 1_000_000),
}
_SCHEDULE: Mapping[str, tuple[Check, str]] = {
    "workflow": _TEXT,
    "expression": _TEXT,
    "input": (lambda value: True, "the workflow's input"),
    "timezone": _TEXT,
    "enabled": _FLAG,
    "overlap": _one_of(*OVERLAPS),
    "jitter": _whole_number(0, MOST_JITTER),
}
_PROJECT: Mapping[str, tuple[Check, str]] = {
    "workflows": (is_inside, "the path of a folder in the project, such as workflows or src/flows"),
    "retention_days": _whole_number(0, 36500),
    "log_retention_days": _one_of(*LOG_DAYS),
    "listing_shards": _whole_number(1, 256),
    "auth": _one_of("keys", "iam", "jwt"),
    "authorizer_cache": _whole_number(0, 3600),
    "memory": _MEMORY,
    "parallelization": _whole_number(1, 10),
    "sweep_minutes": _whole_number(2, 60),
    "tracing": _FLAG,
    "opentelemetry": _FLAG,
    "opentelemetry_layer": _text_matching(_LAYER, "the ARN of a version of a layer, arn:aws:lambda:…:layer:NAME:1"),
    "log_values": _FLAG,
    "max_signals": _whole_number(1, 1_000_000),
    "max_signal_bytes": _whole_number(1, 1_000_000_000),
    "max_child_depth": _whole_number(1, 1000),
    "packaging": _one_of("zip", "image"),
    "image_base": _text_matching(_IMAGE, "the name of an image, such as python-with-poppler:1"),
    "snap_start": _FLAG,
    "alarm_email": _text_matching(r"[^@\s]+@[^@\s]+", "an e-mail address"),
    "public_url": _text_matching(_URL, "an address, such as https://flows.example.com"),
    "domain_name": _text_matching(_DOMAIN, "the name of a host, such as flows.example.com"),
    "certificate": _text_matching(_CERTIFICATE, "the ARN of a certificate, arn:aws:acm:…:certificate/…"),
    "vpc": _text_matching(r"vpc-[0-9a-f]+", "the id of a VPC, vpc-…"),
    "table_stream": _text_matching(_STREAM, "the ARN of a table's stream, arn:aws:dynamodb:…:table/…/stream/…"),
    "bucket": _text_matching(_BUCKET, "the name of a bucket"),
    "kms_key": _text_matching(_KMS_KEY, "the ARN of a KMS key or alias, arn:aws:kms:…, or the name of one, alias/…"),
    "key_table": _text_matching(r"[A-Za-z0-9_.-]{3,255}", "the name of a table"),
    "key_file": _TEXT,
    "event_bus": _text_matching(BUS, "the name of an event bus, such as default, or its ARN"),
    "encrypt_new": _FLAG,
    "audit_days": _whole_number(0, 3650),
    "audit_all": _FLAG,
}


def _checked(
    kind: type, where: str, settings: Mapping[str, Any], checks: Mapping[str, tuple[Check, str]]
) -> dict[str, Any]:
    known = [field_of_kind.name for field_of_kind in fields(kind) if field_of_kind.name in checks]
    require_known(where, settings, known)
    for name, value in settings.items():
        fits, description = checks[name]
        if not fits(value):
            raise StartupError(f"[{where}] {name} is {description}, not {value!r}")
    return dict(settings)
