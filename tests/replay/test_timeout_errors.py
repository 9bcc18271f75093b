"""What stepfast notes on the error of a timeout is in nobody's way."""

from __future__ import annotations

import asyncio
import pickle

from stepfast.replay import loop as loop  # with it asyncio's timeouts note their scopes


def test_an_error_outside_workflows_is_as_without_stepfast() -> None:
    async def late() -> TimeoutError:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError as error:
            return error
        raise AssertionError("the timeout has not raised")

    error = asyncio.run(late())
    assert vars(error) == {}
    assert isinstance(pickle.loads(pickle.dumps(error)), TimeoutError)
