"""The asynchronous twin of limit_calls.py: `make async-client` writes it. Change limit_calls.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from stepfast.client import shapes
from stepfast.client.answers import Object
from stepfast.client.async_stacks import AsyncStacks
from stepfast.client.values import moment, segment


class AsyncLimitCalls:
    """The part of a client that is about limits and gates. Where there are several deployments, the first is asked."""

    _stacks: AsyncStacks

    async def limits(self) -> list[dict[str, Any]]:
        """The limits of steps by name, as JSON values: the numbers of the code, and those that hold now."""
        limits: list[dict[str, Any]] = (await self._stacks.first.get("/v1/limits", shapes.LimitListShape))["limits"]
        return limits

    async def limit(self, name: str, limit: int = 50, cursor: str | None = None) -> Object:
        """A limit with a page of its keys in use: what is taken, how many wait, and since when.

        name: the name of the limit.
        limit: the most keys of a page.
        cursor: the `next` of an earlier page.

        Raises InvalidRequest where no step has the limit.
        """
        path = f"/v1/limits/{segment(name, 'name')}"
        return await self._stacks.first.get(path, shapes.LimitShape, limit=limit, cursor=cursor)

    async def set_limit(
        self,
        name: str,
        *,
        rate: float | None = None,
        per: float | None = None,
        burst: int | None = None,
        concurrency: int | None = None,
    ) -> Object:
        """Changes the numbers of a limit while steps run; those that are None stay as they are.

        name: the name of the limit.
        rate: attempts that may begin in `per` seconds.
        per: the seconds of the rate.
        burst: attempts that may begin at one moment.
        concurrency: attempts that may run at once.

        They hold in every process within seconds, and win over the numbers of the code. Raises InvalidRequest for a
        number that is not valid, and for a kind of number that the limit does not have. Safe to repeat.
        """
        numbers = {"rate": rate, "per": per, "burst": burst, "concurrency": concurrency}
        body = {number: value for number, value in numbers.items() if value is not None}
        return (
            await self._stacks.first.send("PUT", f"/v1/limits/{segment(name, 'name')}", shapes.LimitShape, body)
        ).body

    async def reset_limit(self, name: str) -> Object:
        """Goes back to the numbers of the code. Safe to repeat.

        name: the name of the limit.

        Raises InvalidRequest where no step has the limit.
        """
        return (await self._stacks.first.send("DELETE", f"/v1/limits/{segment(name, 'name')}", shapes.LimitShape)).body

    async def gates(self, name: str | None = None, limit: int = 50, cursor: str | None = None) -> Object:
        """The `gates` that are closed, opening, or have met failures, and the cursor `next`.

        name: the name of one limit, whose gates then come in pages; None for all limits.
        limit: the most gates of a page.
        cursor: the `next` of an earlier page.

        Raises InvalidRequest for a limit without a gate.
        """
        return await self._stacks.first.get("/v1/gates", shapes.GatePageShape, name=name, limit=limit, cursor=cursor)

    async def close_gate(
        self, name: str, key: str = "", *, until: datetime | float | str | None = None, why: str = ""
    ) -> Object:
        """Closes a gate by hand: its steps wait, and no attempt begins. Returns the gate. Safe to repeat.

        name: the name of the limit.
        key: which of its keys.
        until: a datetime, or seconds since the epoch; None: until somebody opens it.
        why: for those who look at it.

        Raises InvalidRequest for a limit without a gate, and for a time that has passed.
        """
        body: Object = {"key": key, "why": why}
        if until is not None:
            body["until"] = moment(until)
        return (
            await self._stacks.first.send("POST", f"/v1/gates/{segment(name, 'name')}/close", shapes.GateShape, body)
        ).body

    async def open_gate(self, name: str, key: str = "", *, why: str = "") -> Object:
        """Opens a gate by hand: its steps go on at a growing rate. Returns the gate. Safe to repeat.

        name: the name of the limit.
        key: which of its keys.
        why: for those who look at it.

        Raises InvalidRequest for a limit without a gate.
        """
        body = {"key": key, "why": why}
        return (
            await self._stacks.first.send("POST", f"/v1/gates/{segment(name, 'name')}/open", shapes.GateShape, body)
        ).body
