"""Webhooks of others in a deployment: their settings, and their secrets in Secrets Manager or Parameter Store."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from stepfast.backends.aws.errors import translated
from stepfast.deployment.event_settings import SSM
from stepfast.deployment.settings import INBOUND
from stepfast.errors import StartupError, StepfastError, Unavailable
from stepfast.functions.clients import Clients
from stepfast.http.inbound import InboundWebhook
from stepfast.webhook_signing import Scheme, keys_in

log = logging.getLogger(__name__)

SECRET_FRESH_SECONDS = 300.0
"""A secret of this age is read again: so long a sender whose secret was changed is refused, or let in."""
SECRET_PAUSE_SECONDS = 30.0
"""The shortest time between two attempts to read a secret, however many requests there are."""


def inbound_webhooks(text: str, clients: Clients, now: Callable[[], float]) -> list[InboundWebhook]:
    """The webhooks of the settings as `event_settings.inbound_text` writes them. Raises StartupError."""
    try:
        listed = json.loads(text) if text else []
        return [_webhook(each, clients, now) for each in listed]
    except (ValueError, KeyError, TypeError) as error:
        raise StartupError(f"{INBOUND} cannot be read: deploy again") from error


def _webhook(said: dict[str, Any], clients: Clients, now: Callable[[], float]) -> InboundWebhook:
    secret = CachedSecret(partial(_read, clients, said["secret"]), said["scheme"], now)
    return InboundWebhook(said["name"], said["workflow"], said["scheme"], float(said["tolerance"]), secret)


def _read(clients: Clients, name: str) -> str:
    check = f"is there a secret {name!r} in this region, and may the function api read it?"
    with translated("the secret of a webhook", check):
        if name.startswith(SSM):
            answer = clients.ssm.get_parameter(Name=name.removeprefix(SSM), WithDecryption=True)
            return str(answer["Parameter"]["Value"])
        return str(clients.secretsmanager.get_secret_value(SecretId=name)["SecretString"])


class CachedSecret:
    """The keys in a secret, kept in the memory of the function. While the secret cannot be read the last keys stay.

    read: reads its text. Threads share it; one of them at a time reads.
    """

    def __init__(self, read: Callable[[], str], scheme: Scheme, now: Callable[[], float]) -> None:
        self._read, self._scheme, self._now = read, scheme, now
        self._keys: tuple[bytes, ...] = ()
        self._read_at = self._tried_at = float("-inf")
        self._reading = threading.Lock()

    def __call__(self) -> Sequence[bytes]:
        """The keys. Raises Unavailable if they were never read."""
        with self._reading:
            now = self._now()
            if now - self._read_at >= SECRET_FRESH_SECONDS and now - self._tried_at >= SECRET_PAUSE_SECONDS:
                self._tried_at = now
                try:
                    self._keys, self._read_at = keys_in(self._read(), self._scheme), now
                except (StepfastError, ValueError, KeyError) as error:
                    # Neither the secret nor the text of an error that may quote it.
                    reason = str(error) if isinstance(error, StepfastError) else "it is no secret of this scheme"
                    log.error("the secret of a webhook could not be read: %s", reason)
            if not self._keys:
                raise Unavailable("webhooks cannot be checked at the moment; send it again later")
            return self._keys
