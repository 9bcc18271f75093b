"""Where the inputs of executions stand: in the meta while they are short, in an item of their own beyond that.

The meta is written again when the execution ends, and read often; its input never changes. An input's item is
named by its content, so it is put before the meta, any number of times.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from stepfast.backends.aws.errors import Misconfigured
from stepfast.backends.dynamodb import item_keys, items
from stepfast.backends.dynamodb.calls import Table
from stepfast.backends.dynamodb.large_values import BLOB_BYTES, Texts
from stepfast.backends.dynamodb.typed_json import Item, text
from stepfast.model import Execution

INLINE = 2048
"""Bytes of an input that stands in the meta itself."""


class Inputs:
    """Puts inputs where they belong and finds them again; those that were seen are remembered."""

    def __init__(self, table: Table, texts: Texts) -> None:
        self._table, self._texts = table, texts

    async def place(self, execution: Execution, now: float) -> Item:
        """The `input` attribute of a new meta; puts the input's own item first where it has one."""
        data = execution.input.encode()
        if len(data) <= INLINE or len(data) > BLOB_BYTES:  # what is large becomes a blob with the meta
            return {"input": text(execution.input)}
        digest = hashlib.sha256(data).hexdigest()[:32]
        item = items.input_item(execution.run_id, digest, execution.input, now)
        await self._table.put(item)
        self._texts.remember(_name(item), data)
        return {"input": {"M": {"item": text(digest)}}}

    def remember(self, inputs: Iterable[Item]) -> None:
        """Keeps inputs whose items have been read anyhow."""
        for item in inputs:
            self._texts.remember(_name(item), item["input"]["S"].encode())

    def of(self, metas: Sequence[Item]) -> list[str]:
        """The input of each meta; Misconfigured when somebody has deleted one."""
        elsewhere = {_name(key): key for meta in metas if (key := _key(meta)) is not None}
        held = {name: self._texts.recall(name) for name in elsewhere}
        missing = [elsewhere[name] for name, data in held.items() if data is None]
        if len(missing) == 1:
            fetched = [item for item in [self._table.get(missing[0])] if item is not None]
        else:
            fetched = self._table.get_many(missing)
        self.remember(fetched)
        held |= {_name(item): item["input"]["S"].encode() for item in fetched}
        return [self._input(meta, held) for meta in metas]

    def _input(self, meta: Item, held: dict[str, bytes | None]) -> str:
        key = _key(meta)
        if key is None:
            return str(meta["input"]["S"])
        data = held[_name(key)]
        if data is None:
            raise Misconfigured(
                f"the table {self._table.name!r} has lost the input of execution {item_keys.execution_id_of(meta)!r}: "
                "restore its item, or start the execution again under another id"
            )
        return data.decode()


def _key(meta: Item) -> Item | None:
    """The key of the item that holds a meta's input, if it is not in the meta."""
    where = meta["input"].get("M")
    return (
        None if where is None else item_keys.key(item_keys.run_id_of_meta(meta), item_keys.INPUT + where["item"]["S"])
    )


def _name(item: Item) -> str:
    return f"{item['pk']['S']}/{item['sk']['S']}"
