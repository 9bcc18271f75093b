"""The settings that a Lambda function reads from its environment. Each function requires only what it needs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, cast, get_args

from stepfast.errors import StartupError

Auth = Literal["keys", "iam", "jwt"]

TABLE, BUCKET, WORKFLOWS = "STEPFAST_TABLE", "STEPFAST_BUCKET", "STEPFAST_WORKFLOWS"
QUEUES, TIMER_QUEUE, PARK_QUEUE = "STEPFAST_QUEUES", "STEPFAST_TIMER_QUEUE", "STEPFAST_PARK_QUEUE"
SCHEDULES, SCHEDULE_ROLE = "STEPFAST_SCHEDULES", "STEPFAST_SCHEDULE_ROLE"
MAX_SIGNALS, MAX_SIGNAL_BYTES = "STEPFAST_MAX_SIGNALS", "STEPFAST_MAX_SIGNAL_BYTES"
RETENTION, SHARDS, POOL, AUTH, LOG_VALUES = (
    "STEPFAST_RETENTION_DAYS",
    "STEPFAST_LISTING_SHARDS",
    "STEPFAST_POOL",
    "STEPFAST_AUTH",
    "STEPFAST_LOG_VALUES",
)
POOL_TIMEOUTS = "STEPFAST_POOL_TIMEOUTS"
MAX_CHILD_DEPTH = "STEPFAST_MAX_CHILD_DEPTH"
OPENTELEMETRY, LIMITS = "STEPFAST_OPENTELEMETRY", "STEPFAST_LIMITS"
KMS_KEY, KEY_TABLE, ENCRYPT_NEW = "STEPFAST_KMS_KEY", "STEPFAST_KEY_TABLE", "STEPFAST_ENCRYPT_NEW"
AUDIT_DAYS, AUDIT_ALL = "STEPFAST_AUDIT_DAYS", "STEPFAST_AUDIT_ALL"
ENCRYPTION = (KMS_KEY, KEY_TABLE, ENCRYPT_NEW)
"""The variables of every function that works on executions, in a deployment that has a kms_key."""
JWT = "STEPFAST_JWT"
"""Whose tokens the authorizer takes, as JSON text, in a deployment with `auth = "jwt"`."""
PAGE_SIGN_ON = "STEPFAST_PAGE_SIGN_ON"
"""How the page signs in, as JSON text, in a deployment whose page does."""
EVENT_BUS, EVENT_QUEUE = "STEPFAST_EVENT_BUS", "STEPFAST_EVENT_QUEUE"
INBOUND = "STEPFAST_INBOUND"
"""The webhooks of others that the API takes, as JSON text, in a deployment that has any."""
UNDELIVERED, PUBLIC_URL = "STEPFAST_UNDELIVERED", "STEPFAST_PUBLIC_URL"
LAMBDA_MEMORY, DEFAULT_MEMORY = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 512
"""Lambda sets it: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""

_STORE = (TABLE, BUCKET)
_ADVANCING = (WORKFLOWS, RETENTION, SHARDS, LOG_VALUES, POOL_TIMEOUTS, MAX_CHILD_DEPTH, OPENTELEMETRY, LIMITS)
_SENDING = (QUEUES, TIMER_QUEUE, PARK_QUEUE, SCHEDULES, SCHEDULE_ROLE)
NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "api": _STORE,
        "authorizer": (TABLE,),
        "advancer": (*_STORE, *_SENDING),
        "step": (*_STORE, *_SENDING, POOL),
        "timer": (*_STORE, *_SENDING),
        "resume": (*_STORE, PARK_QUEUE),
        "sweeper": (*_STORE, *_SENDING),
        "events": (TABLE, EVENT_BUS, EVENT_QUEUE, UNDELIVERED),
    }
)
"""The variables that a function of each kind requires to start."""
ALSO: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "api": (
            *(WORKFLOWS, RETENTION, SHARDS, AUTH, LOG_VALUES, MAX_SIGNALS, MAX_SIGNAL_BYTES, OPENTELEMETRY, LIMITS),
            *(TIMER_QUEUE, AUDIT_DAYS, AUDIT_ALL),
        ),
        **dict.fromkeys(("authorizer", "events"), ()),
        "resume": (WORKFLOWS, RETENTION, SHARDS, LOG_VALUES, OPENTELEMETRY),
        "step": (*_ADVANCING, PUBLIC_URL),
        **dict.fromkeys(("timer", "sweeper"), _ADVANCING),
        "advancer": (*_ADVANCING, UNDELIVERED),
    }
)
"""The variables that a function of each kind also reads, with a default."""

DEFAULT_RETENTION_DAYS = 90
DEFAULT_SHARDS = 8
DEFAULT_AUDIT_DAYS = 90
DEFAULT_MAX_CHILD_DEPTH = 32
DEFAULT_MAX_SIGNALS, DEFAULT_MAX_SIGNAL_BYTES = 10_000, 32_000_000
"""Equal to model.MAX_CHILD_DEPTH and model.SIGNAL_LIMITS.

They are repeated here so that the authorizer, which starts cold, imports less.
"""
DAY_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class Settings:
    """The resources of one deployment. A resource that a function does not need is empty.

    queues: the URL of each pool's queue. pool_timeouts: the timeout of each pool's function in seconds, where it is
    known. workflows: a folder. retention: seconds for which ended executions are kept; None keeps them for ever.
    pool: the pool of a step function. log_values: whether inputs, outputs and errors are logged. undelivered: the URL
    of the queue for records that no function can handle. memory: of the function, in MB. max_child_depth: the most
    executions above a child. opentelemetry: whether executions are traces of OpenTelemetry.
    limits: numbers of limits, as JSON text. root: the folder of the bundle. public_url: what addresses of links begin
    with. kms_key: the KMS key that values are encrypted with, "" for none. key_table: the table of data keys.
    encrypt_new: whether new executions are encrypted. jwt: whose tokens are taken, as JSON text, "" for none.
    page_sign_on: how the page signs in, as JSON text, "" if it does not.
    event_bus: where changes of status go. event_queue: the URL of the queue of those that it has not taken.
    inbound: the webhooks of others that are taken, as JSON text, "" for none.
    audit_days: for how long the audit list is kept, 0 for no list. audit_all: whether it
    has starts, signals and updates, too.
    """

    table: str
    bucket: str = ""
    queues: Mapping[str, str] = field(default_factory=dict)
    timer_queue: str = ""
    park_queue: str = ""
    schedules: str = ""
    schedule_role: str = ""
    workflows: str = "workflows"
    retention: float | None = DEFAULT_RETENTION_DAYS * DAY_SECONDS
    listing_shards: int = DEFAULT_SHARDS
    pool: str = ""
    auth: Auth = "keys"
    log_values: bool = False
    max_signals: int = DEFAULT_MAX_SIGNALS
    max_signal_bytes: int = DEFAULT_MAX_SIGNAL_BYTES
    region: str = ""
    pool_timeouts: Mapping[str, int] = field(default_factory=dict)
    undelivered: str = ""
    memory: int = DEFAULT_MEMORY
    max_child_depth: int = DEFAULT_MAX_CHILD_DEPTH
    opentelemetry: bool = False
    limits: str = ""
    root: str = ""
    public_url: str = ""
    kms_key: str = ""
    key_table: str = ""
    encrypt_new: bool = True
    jwt: str = ""
    page_sign_on: str = ""
    event_bus: str = ""
    event_queue: str = ""
    inbound: str = ""
    audit_days: int = DEFAULT_AUDIT_DAYS
    audit_all: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], needs: Collection[str] = ()) -> Settings:
        """Reads the variables.

        Raises StartupError, which names all variables of `needs` that are missing, or the variable that is not valid.
        """
        missing = sorted(name for name in {TABLE, *needs} if not environment.get(name, "").strip())
        if missing:
            raise StartupError(
                f"the environment lacks {', '.join(missing)}: "
                "the stack sets it on every function that needs it; deploy again"
            )

        read = _Variables(environment)
        text, flag, number = read.text, read.flag, read.number
        days = number(RETENTION, DEFAULT_RETENTION_DAYS, 0)
        auth = text(AUTH, "keys")
        if auth not in get_args(Auth):
            raise StartupError(f"{AUTH} is `keys`, `iam` or `jwt`, not {auth!r}")
        settings = cls(
            table=text(TABLE),
            bucket=text(BUCKET),
            queues=_queues(text(QUEUES, "{}")),
            timer_queue=text(TIMER_QUEUE),
            park_queue=text(PARK_QUEUE),
            schedules=text(SCHEDULES),
            schedule_role=text(SCHEDULE_ROLE),
            # Lambda unpacks the bundle into LAMBDA_TASK_ROOT. os.path.join keeps an absolute path unchanged.
            workflows=os.path.join(environment.get("LAMBDA_TASK_ROOT", ""), text(WORKFLOWS, "workflows")),
            retention=days * DAY_SECONDS if days else None,
            listing_shards=number(SHARDS, DEFAULT_SHARDS, 1),
            pool=text(POOL),
            auth=cast(Auth, auth),
            log_values=flag(LOG_VALUES),
            opentelemetry=flag(OPENTELEMETRY),
            limits=text(LIMITS),
            root=environment.get("LAMBDA_TASK_ROOT", ""),
            max_signals=number(MAX_SIGNALS, DEFAULT_MAX_SIGNALS, 1),
            max_signal_bytes=number(MAX_SIGNAL_BYTES, DEFAULT_MAX_SIGNAL_BYTES, 1),
            region=text("AWS_REGION") or text("AWS_DEFAULT_REGION"),
            pool_timeouts=_timeouts(text(POOL_TIMEOUTS, "{}")),
            undelivered=text(UNDELIVERED),
            public_url=text(PUBLIC_URL),
            kms_key=text(KMS_KEY),
            key_table=text(KEY_TABLE),
            encrypt_new=flag(ENCRYPT_NEW, "true"),
            jwt=text(JWT),
            page_sign_on=text(PAGE_SIGN_ON),
            event_bus=text(EVENT_BUS),
            event_queue=text(EVENT_QUEUE),
            inbound=text(INBOUND),
            audit_days=number(AUDIT_DAYS, DEFAULT_AUDIT_DAYS, 0),
            audit_all=flag(AUDIT_ALL),
            memory=number(LAMBDA_MEMORY, DEFAULT_MEMORY, 1),
            max_child_depth=number(MAX_CHILD_DEPTH, DEFAULT_MAX_CHILD_DEPTH, 1),
        )
        if POOL in needs and settings.pool not in settings.queues:
            known = ", ".join(sorted(settings.queues)) or "none"
            raise StartupError(f"{POOL} is {settings.pool!r}, which {QUEUES} does not have; it has: {known}")
        return settings

    def to_environment(self) -> dict[str, str]:
        """The variables that `from_environment` reads these settings from."""
        days = 0 if self.retention is None else math.ceil(self.retention / DAY_SECONDS)
        return {
            TABLE: self.table,
            BUCKET: self.bucket,
            WORKFLOWS: str(Path(self.workflows).resolve()),
            QUEUES: json.dumps(dict(self.queues)),
            TIMER_QUEUE: self.timer_queue,
            PARK_QUEUE: self.park_queue,
            SCHEDULES: self.schedules,
            SCHEDULE_ROLE: self.schedule_role,
            RETENTION: str(days),
            SHARDS: str(self.listing_shards),
            POOL: self.pool,
            AUTH: self.auth,
            LOG_VALUES: "true" if self.log_values else "false",
            OPENTELEMETRY: "true" if self.opentelemetry else "false",
            LIMITS: self.limits,
            PUBLIC_URL: self.public_url,
            KMS_KEY: self.kms_key,
            KEY_TABLE: self.key_table,
            ENCRYPT_NEW: "true" if self.encrypt_new else "false",
            JWT: self.jwt,
            PAGE_SIGN_ON: self.page_sign_on,
            EVENT_BUS: self.event_bus,
            EVENT_QUEUE: self.event_queue,
            INBOUND: self.inbound,
            AUDIT_DAYS: str(self.audit_days),
            AUDIT_ALL: "true" if self.audit_all else "false",
            "AWS_REGION": self.region,
        }


@dataclass(frozen=True, slots=True)
class _Variables:
    """Reads variables. Raises StartupError for one that is not valid."""

    environment: Mapping[str, str]

    def text(self, name: str, default: str = "") -> str:
        return self.environment.get(name, "").strip() or default

    def flag(self, name: str, default: str = "false") -> bool:
        value = self.text(name, default)
        if value not in ("true", "false"):
            raise StartupError(f"{name} is `true` or `false`, not {value!r}")
        return value == "true"

    def number(self, name: str, default: int, least: int) -> int:
        text = self.text(name, str(default))
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise StartupError(f"{name} is a whole number from {least} up, not {text!r}")
        return number


def _queues(text: str) -> Mapping[str, str]:
    try:
        urls = json.loads(text)
    except ValueError as error:
        raise StartupError(f"{QUEUES} is not JSON: it maps pool names to queue URLs") from error
    if not isinstance(urls, dict) or not all(isinstance(url, str) and url for url in urls.values()):
        raise StartupError(f"{QUEUES} is a JSON object of pool names and queue URLs")
    return urls


def _timeouts(text: str) -> Mapping[str, int]:
    try:
        timeouts = json.loads(text)
    except ValueError as error:
        raise StartupError(f"{POOL_TIMEOUTS} is not JSON: it maps pool names to seconds") from error
    if not isinstance(timeouts, dict) or not all(type(seconds) is int and seconds > 0 for seconds in timeouts.values()):
        raise StartupError(f"{POOL_TIMEOUTS} is a JSON object of pool names and whole numbers of seconds")
    return timeouts
