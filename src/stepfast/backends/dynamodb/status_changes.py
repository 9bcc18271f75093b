"""Changes of status in the stream of the table (rule *event*): the write of a status says which it came from."""

from __future__ import annotations

import json

from stepfast.backends.dynamodb.item_keys import META, checked, execution_id_of, sort_of
from stepfast.backends.dynamodb.items import CAME, NOWHERE, link_in
from stepfast.backends.dynamodb.typed_json import Item, float_in, int_in, text_in
from stepfast.engine.status_changes import OWN_PREFIX, StatusChange, moment_of, shortened


def change_in(image: Item) -> StatusChange | None:
    """The change that a write of a meta has made, by its new image; None if it has made none that is reported.

    It reads no value, neither an encrypted one nor one in the bucket. Raises Misconfigured for an item of a version
    that this one does not know.
    """
    came = text_in(image, CAME)
    if came is None or sort_of(image) != META or image["flow"]["S"].startswith(OWN_PREFIX):
        return None
    checked(image)
    previous, status = (None if came == NOWHERE else came), image["stat"]["S"]
    began, hand, link = float_in(image, "began"), text_in(image, "hand"), link_in(image)
    step, kind = json.loads(text_in(image, "fault") or "[null, null]")[:2] if status == "FAILED" else (None, None)
    made = float(image["made"]["N"])
    at = moment_of(
        previous,
        status,
        made,
        began,
        float_in(image, "ended"),
        float_in(image, "resumed"),
        json.loads(hand)["at"] if hand else None,
    )
    return StatusChange(
        execution_id=execution_id_of(image),
        workflow=image["flow"]["S"],
        run=int_in(image, "run") or 1,
        generation=int_in(image, "gen"),
        previous=previous,
        status=status,
        at=at,
        labels={name: value["S"] for name, value in image.get("labels", {"M": {}})["M"].items()},
        parent=None if link is None or link.left else link.parent,
        error_type=shortened(kind),
        step=shortened(step),
    )
