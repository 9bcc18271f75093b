"""What workflow code shows of itself: its status value and its labels, and where in the code it said so.

It is one text, `<mark> <JSON>`. The mark sorts as the code goes on: by run, generation, and how often the code has
called set_status() or set_labels() by then. A store writes a text only over one with a lower mark, so that no replay
and no late process takes back what was shown (rule *shown*).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from stepfast.records import dataclass

MAX_STATUS_BYTES = 4096
"""Bytes of JSON of a status value. It stands in the execution's own item, which every write of it is paid by size."""
MAX_LABELS = 20
"""Labels that an execution has at most."""
LABEL_KEY = r"^[^\x00-\x1f\x7f:=]{1,128}$"
LABEL_VALUE = r"^[^\x00-\x1f\x7f]{0,128}$"
_MARK = 24


@dataclass(frozen=True, slots=True)
class ShownState:
    """What is to be shown from now on.

    mark: see this module. value: of set_status(), as JSON text; None without one. labels: all labels, None
    where they stay as they are. base: the labels that the run has begun with, where its code has changed them.
    """

    mark: str
    value: str | None = None
    labels: Mapping[str, str] | None = None
    base: Mapping[str, str] | None = None

    @property
    def text(self) -> str:
        kept: dict[str, object] = {}
        if self.value is not None:
            kept["value"] = json.loads(self.value)
        if self.base is not None:
            kept["base"] = dict(self.base)
        return f"{self.mark} {json.dumps(kept, ensure_ascii=False)}"

    @property
    def floor(self) -> str:
        """A stored text may be replaced if it is below this."""
        return f"{self.mark} "


def mark_of(run: int, generation: int, calls: int) -> str:
    return f"{run:08x}{generation:08x}{calls:08x}"


def mark_in(text: str | None) -> str:
    """The mark of a stored text; of none, a mark below all others."""
    return "" if text is None else text[:_MARK]


def status_value(text: str | None) -> object:
    """The value that set_status() has set last, as plain JSON; None without one."""
    return None if text is None else json.loads(text[_MARK:]).get("value")


def stored_value(text: str | None) -> str | None:
    """The same as JSON text; None where the code has not set any, and "null" where it has set None."""
    kept = {} if text is None else json.loads(text[_MARK:])
    return json.dumps(kept["value"], ensure_ascii=False) if "value" in kept else None


def base_labels(labels: Mapping[str, str], text: str | None, run: int) -> Mapping[str, str]:
    """The labels that a run has begun with: workflow code and limits see these in every replay.

    labels: the labels of now. text: as it is stored with them.
    """
    base = stored_base(text, run)
    return labels if base is None else base


def stored_base(text: str | None, run: int) -> Mapping[str, str] | None:
    """The labels that this run has begun with, if its code has changed them."""
    if text is None or int(text[:8], 16) != run:
        return None
    base: Mapping[str, str] | None = json.loads(text[_MARK:]).get("base")
    return base
