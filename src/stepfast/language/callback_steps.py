"""The steps that `callback()` uses itself. The engine carries them out, since they need the key and the store."""

from __future__ import annotations

from stepfast.language.map_steps import BuiltinStep, Json, builtin, outside


@builtin
async def open_link(name: str, timeout: float) -> Json:
    """Makes a link: `link`, the name of the wait; `url`, its address; `expires_at`, seconds since the epoch."""
    raise outside("open_link")


@builtin
async def last_heartbeat(link: str) -> float | None:
    """When external work has sent its last heartbeat by this link, in seconds since the epoch; null for none."""
    raise outside("last_heartbeat")


LINK_STEPS: tuple[BuiltinStep, ...] = (open_link, last_heartbeat)
