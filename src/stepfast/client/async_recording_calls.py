"""The asynchronous twin of recording_calls.py: `make async-client` writes it. Change recording_calls.py."""

from __future__ import annotations

from stepfast.client import shapes
from stepfast.client.answers import Object
from stepfast.client.async_stacks import AsyncStacks
from stepfast.client.values import segment


class AsyncRecordingCalls:
    """The part of a client that reads recordings."""

    _stacks: AsyncStacks

    async def recording(self, execution_id: str, cursor: str | None = None, run: int | None = None) -> Object:
        """A page of what is recorded of a run of an execution, with all its values.

        execution_id: the id of the execution.
        cursor: the `next` of the page before.
        run: the number of an earlier run, of an execution that has continued as new. None is the current run.

        `records`, `signals` and `history` are as they are stored. `execution` and `order` come with the last page, and
        `next` is None there. `large` names values that are None because they are too large for a page: `recorded_value`
        reads them. Begin again where `run` or `generation` is not that of the page before. The fields may change from
        version to version. Raises ExecutionNotFound, and InvalidRequest for an unknown cursor.
        """
        calls = await self._stacks.holder(execution_id)
        path = f"/v1/executions/{segment(execution_id, 'execution_id')}/recording"
        return await calls.get(path, shapes.RecordingShape, cursor=cursor, run=run)

    async def recorded_value(
        self, execution_id: str, name: str, command: str | None = None, run: int | None = None
    ) -> str:
        """The JSON text of a large value of a recording, however large it is.

        execution_id: the id of the execution.
        name: input or output, or result for the execution's own.
        command: the command whose value it is; None for a value of the execution itself.
        run: the number of an earlier run. None is the current run.

        Raises ExecutionNotFound, and InvalidRequest where there is no such value.
        """
        calls = await self._stacks.holder(execution_id)
        path = f"/v1/executions/{segment(execution_id, 'execution_id')}/recording/value"
        pieces: list[str] = []
        offset: int | None = 0
        while offset is not None:
            piece = await calls.get(path, shapes.ValuePieceShape, name=name, command=command, offset=offset, run=run)
            pieces.append(piece["text"])
            offset = piece["next"]
        return "".join(pieces)
