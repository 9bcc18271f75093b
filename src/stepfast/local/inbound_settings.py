"""The webhooks of others that a server of this machine takes, by its settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

from stepfast.deployment.event_settings import InboundSettings, check_targets, inbound_keys
from stepfast.http.inbound import InboundWebhook
from stepfast.language.registry import Registry


def inbound_of(settings: Mapping[str, InboundSettings], registry: Registry) -> list[InboundWebhook]:
    """The webhooks with their keys, which are read once. Raises StartupError."""
    keys = inbound_keys(settings, os.environ)
    here = {name: inbound for name, inbound in settings.items() if name in keys}
    check_targets(here, "inbound", registry)
    return [
        InboundWebhook(name, inbound.workflow, inbound.scheme, inbound.tolerance, partial(keys.__getitem__, name))
        for name, inbound in here.items()
    ]
