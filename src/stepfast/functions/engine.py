"""The engine on AWS's services, which all functions share. Each part is made at its first use.

Parts that only some functions need have modules of their own, so that a cold start imports no more than it uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from stepfast.backends.aws.s3 import S3Blobs
from stepfast.backends.dynamodb.sealed import SealedDynamoStore
from stepfast.backends.dynamodb.store import DynamoStore
from stepfast.deployment.limit_settings import limits_in, numbers_of
from stepfast.deployment.settings import Settings
from stepfast.deployment.telemetry import telemetry_if
from stepfast.engine.advancer import Advancer
from stepfast.engine.data_keys import Keyring
from stepfast.engine.event_log import EventLog
from stepfast.engine.memory import Memory
from stepfast.engine.messages import Message
from stepfast.engine.observed import StoreListener, observed
from stepfast.engine.placement import Placement
from stepfast.engine.ports import Queue, Store
from stepfast.engine.replay_cache import LiveReplays
from stepfast.engine.schedule_items import Schedule, ScheduleTarget
from stepfast.engine.schedule_starts import SOONEST_LOOK_SECONDS
from stepfast.errors import StartupError
from stepfast.functions.clients import Clients
from stepfast.functions.encryption import keyring_of
from stepfast.functions.host import Host, TimeLeft
from stepfast.functions.watching import Metrics
from stepfast.language.limits import Numbers
from stepfast.language.registry import Registry, discover
from stepfast.model import SignalLimits

if TYPE_CHECKING:
    from stepfast.engine.operations import Operations
    from stepfast.telemetry import Telemetry

REPLAY_BYTES_PER_MEGABYTE = 2**20 // 4
"""The replays that are kept take at most a quarter of a function's memory."""


class Engine:
    """Store, advancer and operations, made from settings and clients.

    It cannot send: see sending_engine.SendingEngine.
    """

    def __init__(self, settings: Settings, clients: Clients, host: Host | None = None) -> None:
        self.settings, self.clients, self.host = settings, clients, host or Host()
        self.clock, self.call, self.meter = self.host.clock, self.host.call, self.host.meter
        self.lives = LiveReplays(room=settings.memory * REPLAY_BYTES_PER_MEGABYTE)
        self.time_left = TimeLeft()

    @cached_property
    def registry(self) -> Registry:
        return self.host.registry or discover(Path(self.settings.workflows), check=False)

    @cached_property
    def limit_numbers(self) -> Mapping[str, Numbers]:
        """The numbers of limits that have settings."""
        return numbers_of(self.registry, limits_in(self.settings.limits))

    @cached_property
    def telemetry(self) -> Telemetry | None:
        """Makes spans and metrics of OpenTelemetry, where the settings ask for it."""
        return telemetry_if(self.settings.opentelemetry)

    @cached_property
    def queue(self) -> Queue:
        return _NoQueue()

    @cached_property
    def store(self) -> Store:
        """The table, heard by the event log, the metrics and, where the settings say so, the log of values."""
        listeners: list[StoreListener] = [Metrics(self.meter, self.settings.pool), EventLog()]
        if self.telemetry is not None:
            listeners.append(self.telemetry)
        if self.settings.log_values:
            from stepfast.engine.value_log import ValueLog

            listeners.append(ValueLog())
        return observed(self.table_store, *listeners)

    @cached_property
    def table_store(self) -> SealedDynamoStore:
        """The store on its table, with what only this backend has; what is written through it is not heard."""
        settings, clients = self.settings, self.clients
        store = DynamoStore(
            clients.dynamodb,
            settings.table,
            self.queue,
            S3Blobs(lambda: clients.s3, settings.bucket),
            self.clock,
            listing_shards=settings.listing_shards,
            retention=settings.retention,
        )
        return SealedDynamoStore(store, self.keyring)

    @cached_property
    def keyring(self) -> Keyring:
        """The data keys of encrypted executions."""
        return keyring_of(self.settings, self.clients, self.clock)

    @cached_property
    def advancer(self) -> Advancer:
        return Advancer(
            self.store,
            self.queue,
            self.clock,
            self.registry,
            self.lives,
            self._placement,
            self.memory,
            max_child_depth=self.settings.max_child_depth,
        )

    @property
    def memory(self) -> Memory | None:
        """None for a function that receives no news."""
        return None

    @property
    def _placement(self) -> Placement | None:
        """The pools' queues; None for a function that sends no steps."""
        queues, timeouts = self.settings.queues, self.settings.pool_timeouts
        return Placement({pool: timeouts.get(pool) for pool in queues}) if queues else None

    @cached_property
    def operations(self) -> Operations:
        from stepfast.engine.audit_store import AuditSettings
        from stepfast.engine.operations import Operations

        limits = SignalLimits(self.settings.max_signals, self.settings.max_signal_bytes)
        return Operations(
            self.store,
            self.clock,
            self.registry,
            self.advancer,
            self.lives,
            limits,
            self.table_store,
            limit_numbers=self.limit_numbers,
            schedules=self._schedules,
            look_later=self._look_later,
            audit=AuditSettings(self.settings.audit_days, self.settings.audit_all),
        )

    def _schedules(self) -> Iterable[Schedule]:
        """The schedules of the deployment, which only the API asks for. Their rates are due as Scheduler says."""
        from stepfast.deployment.schedule_file import starts_in
        from stepfast.deployment.schedule_times import declared

        starts = self.host.starts if self.host.starts is not None else starts_in(self.settings.root)
        return [declared(start) for start in starts]

    async def _look_later(self, target: ScheduleTarget) -> None:
        from stepfast.backends.aws.looks import send_later
        from stepfast.deployment.schedule_messages import look_text

        send_later(self.clients.sqs, self.settings.timer_queue, look_text(target), SOONEST_LOOK_SECONDS)


class _NoQueue:
    """The queue of a function that only reads and writes the store: to send raises StartupError."""

    async def send(self, messages: Sequence[tuple[Message, float | None]]) -> None:
        if messages:
            raise StartupError("this function has no queues to send to: that is a mistake of stepfast's")
