"""Items of the table to values of the model and back. Pure; large_values.py moves large values out.

Every item has `pk`, `sk`, `v` (the version of this layout) and `wrote` (when it was written). Attributes that
would hold nothing are left out.

| item | sk | attributes |
|---|---|---|
| meta | `meta` | stat gen flow input output error causes labels made ended resumed, list_pk list_sk, expires, wake; \
by, born, reopened, cut, fault, link, turn, hand and came (below) |
| input above 2 KB | `input#<digest>` | input |
| command | `c#<command id>` | rev gen stat kind name tries cuts token lease due input output error first began \
ended then signal past kids prog, wake; id where the key is too short for it |
| entry of the order's log | `o#<number>` | gen order (zlib of JSON: applied, dispatched, withdrawn, seal) cut ended \
seal |
| order before the log | `cursor` | gen order (zlib of JSON: applied, dispatched), and rev (version 1) or upto (2) |
| signal | `s#<signal id>` | name payload received n, wake |
| counter of signals | `signals` | n bytes |
| history | `z#<generation>#<n>` | time type command details |
| records of a fork, packed | `f#<n>` | gen pack (zlib of JSON: items of commands) n kids; see packs.py |
| note | `large` | |
| start that was turned away | `away` | flow into became sent at; expires |
| holder of the memory | `memory` | by: its token |
| earlier run | `zr#<run>` | what its meta had; expires |
| signal that an earlier run has taken | `zs#<signal id>` | as a signal, and taken: by which run; expires |

The sort keys of commands, order, history, input and note of a later run begin with `zz<run>#`. A meta's `run` is the
number of the current run, and `began` when it began. A signal's `run` is that during which it was counted. The counter
of signals has in `past` what is added to `n`.

A meta's `by` is drawn by its writer, so that of two equal starts at one instant only one takes it for its own.
Its `born` is when it was put: an item that was written long before is an earlier execution's of the same id.
Its `reopened` and `cut` say how many records the last rewind re-opened and how long the log was then, so that a read
in the middle of that transaction is noticed. Its `fault` is the failure that the listing shows, a JSON
list of step, class of the error and generation. Its `link` is a JSON list, in the order of model.Link; a child has it.
Its `turn` is a JSON list too, in the order of model.StartInfo.
Its `came` is the status that it came from, only in the write that changes it, for who reads the stream.
Its `forked` is a JSON object with the fields of model.ForkedFrom.
Its `hand` is what an operator has done to it last, a JSON object with the fields of model.Intervention.
Its `shown` is what its code shows, as in shown.py.
A command's `kids` are the ids of the children that were started for it, as a JSON list. A meta's `first` is its first
generation, if that is not 0. The note tells
that values of the execution are in the bucket. A meta that is DELETED is a tombstone, with gen, deleted (when) and
erased (once all else is gone): see deletion.py. Failures are JSON lists of class, message, step and
traceback, an execution's with the name of its park message; a value that is a map where a text is expected says
where the text is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, cast

from stepfast.backends.dynamodb.attempts import attempts_of, attempts_text, failure_list, failure_of, json_text
from stepfast.backends.dynamodb.item_keys import (
    COMMAND,
    DELETED,
    FORK_VERSION,
    INPUT,
    ITEM_VERSION,
    MEMORY,
    META,
    NOTE,
    SIGNAL,
    TAKEN,
    TURN_VERSION,
    checked,
    command_sort,
    execution_id_of,
    head,
    sort_of,
)
from stepfast.backends.dynamodb.typed_json import Item, Value, float_in, int_in, number, text, text_in
from stepfast.engine.ports import Fault
from stepfast.engine.start_items import start_in, start_text
from stepfast.model import Chained, Event, Execution, Failure, Link, Record, Signal
from stepfast.standing import Intervention, StartInfo, forked_in, forked_text
from stepfast.stored_text import StoredText

WAKE, WAKE_TO_REPORT = 1, 2
"""The attribute `wake`. The second is of the end of an execution without children that may run."""
CAME, NOWHERE = "came", "-"
"""The attribute with the status before, in the write of a status; and what a new execution has in it."""
MARKS = ("wake", CAME)
"""What a write leaves for who reads the stream: other writes of the meta remove it."""
LONGEST_NAME = 200
"""Characters of a step's or an error's name that the listing holds."""
LONGEST_CLASS = 500

_RECORD_TEXTS = ("token", "input", "output", "signal")
_RECORD_TIMES = {"lease": "lease", "due": "due", "first_at": "first", "started_at": "began", "ended_at": "ended"}
_META_TIMES = {"ended_at": "ended", "resumed_at": "resumed"}


# -- meta --------------------------------------------------------------------------------------------------


def meta_item(execution: Execution, input: Item, listing: Item, now: float) -> Item:
    """A new execution, with wake. input: its `input` attribute, inline or a reference; listing: the index keys."""
    version = TURN_VERSION if execution.waits else ITEM_VERSION
    item = head(execution.execution_id, META, now, version) | input | listing
    item |= {"flow": text(execution.workflow), "made": number(execution.created_at), "born": number(now)}
    item["wake"] = number(1)
    if execution.status == "RUNNING":
        item[CAME] = text(NOWHERE)
    if execution.first_generation:
        item["first"] = number(execution.first_generation)
    if execution.sent is not None:
        item["sent"] = text(execution.sent)
    if execution.traceparent is not None:
        item["tp"] = text(execution.traceparent)
    if execution.link is not None:
        item["link"] = link_value(execution.link)
    if execution.start is not None:
        item["turn"] = start_value(execution.start)
    if execution.forked is not None:
        item |= {"v": number(FORK_VERSION), "forked": text(forked_text(execution.forked) or "")}
    if execution.labels:
        item["labels"] = {"M": {key: text(value) for key, value in execution.labels.items()}}
    return item | standing(execution)


def link_value(link: Link | None) -> Value:
    """The attribute that holds a link; of an execution that is no child, a text that no link has."""
    return text("" if link is None else json_text(list(asdict(link).values())))


def start_value(start: StartInfo | None) -> Value:
    """The attribute that holds what a start was turned into; of one without options, a text that none has."""
    return text(start_text(start) or "")


def link_in(item: Item) -> Link | None:
    written = text_in(item, "link")
    return Link(*json.loads(written)) if written else None


def standing(execution: Execution) -> Item:
    """The attributes of a meta that change when an execution ends or is resumed; the others are absent then."""
    item: Item = {"stat": text(execution.status), "gen": number(execution.generation)}
    if execution.result is not None:
        item["output"] = text(execution.result)
    if execution.error is not None:
        item["error"] = text(json_text(failure_list(execution.error)))
    if execution.causes:
        item["causes"] = text(json_text(execution.causes))
    if execution.status == "FAILED":
        item["fault"] = text(_fault(execution))
    if execution.intervention is not None:
        item["hand"] = text(hand_text(execution.intervention))
    return item | _times(execution, _META_TIMES)


def hand_text(hand: Intervention) -> str:
    """An intervention as it is stored."""
    return json_text(asdict(hand))


STANDING = frozenset({"output", "error", "causes", "fault", "hand", *_META_TIMES.values()})
"""The names that `standing` may leave out."""
BRIEF = (
    "pk",
    "v",
    "stat",
    "gen",
    "first",
    "flow",
    "error",
    "causes",
    "labels",
    "made",
    "sent",
    "link",
    "prog",
    "run",
    "tp",
    "turn",
    "hand",
    "shown",
    "forked",
    *_META_TIMES.values(),
    "began",
)
"""What `execution_of` reads of a meta but for its values."""


def _fault(execution: Execution) -> str:
    failure = execution.error
    step, kind, full = (failure.step, failure.type, failure.error_class) if failure else (None, None, None)
    parts = [step and step[:LONGEST_NAME], kind and kind[:LONGEST_NAME], execution.resumes]
    return json_text(parts if full is None else [*parts, full[:LONGEST_CLASS]])


def fault_of(item: Item, created_at: float) -> Fault:
    """The failure in the listing's entry of a FAILED execution; an old entry may have little of it."""
    step, error, generation, *full = json.loads(text_in(item, "fault") or "[null, null, 0]")
    error_class = full[0] if full else None
    return Fault(execution_id_of(item), item["flow"]["S"], created_at, step, error, generation, error_class)


def execution_of(item: Item, input: str) -> Execution:
    checked(item)
    labels = item.get("labels", {"M": {}})["M"]
    causes, hand = text_in(item, "causes"), text_in(item, "hand")
    return Execution(
        execution_id=execution_id_of(item),
        workflow=item["flow"]["S"],
        input=input,
        created_at=float(item["made"]["N"]),
        status=cast(Any, item["stat"]["S"]),
        generation=int_in(item, "gen"),
        first_generation=int_in(item, "first"),
        result=text_in(item, "output"),
        error=_failure(item),
        labels={name: value["S"] for name, value in labels.items()},
        causes=tuple(json.loads(causes)) if causes else (),
        sent=text_in(item, "sent"),
        link=link_in(item),
        start=start_in(text_in(item, "turn")),
        progress=text_in(item, "prog"),
        traceparent=text_in(item, "tp"),
        run=int_in(item, "run") or 1,
        began_at=float_in(item, "began"),
        ended_at=float_in(item, "ended"),
        resumed_at=float_in(item, "resumed"),
        intervention=Intervention(**json.loads(hand)) if hand else None,
        shown=text_in(item, "shown"),
        forked=forked_in(text_in(item, "forked")),
    )


def archived_of(item: Item, input: str, current: Execution) -> Execution:
    """An earlier run of an execution, of its item. Labels and fingerprint are the execution's."""
    run = execution_of(item, input)
    return replace(run, continued=True, labels=current.labels, sent=current.sent, forked=current.forked)


def ends_childless(meta: Item) -> bool:
    """Whether a meta is of an execution that has ended, and whose end there is only to report."""
    return text_in(meta, "stat") == "FAILED" or int_in(meta, "wake") == WAKE_TO_REPORT


def is_child_of(meta: Item, parent: str) -> bool:
    """Whether a meta is of a child that this parent takes along when it is deleted."""
    link = link_in(meta)
    return not is_tombstone(meta) and link is not None and link.parent == parent and not link.left


def tombstone_item(execution_id: str, generation: int, now: float) -> Item:
    """What stands for the meta of a deleted execution."""
    item = head(execution_id, META, now) | {"stat": text(DELETED), "gen": number(generation)}
    return {**item, "deleted": number(now)}


def is_tombstone(meta: Item) -> bool:
    return text_in(meta, "stat") == DELETED


def note_item(execution_id: str, now: float) -> Item:
    return head(execution_id, NOTE, now)


def memory_item(execution_id: str, token: str, now: float) -> Item:
    return {**head(execution_id, MEMORY, now), "by": text(token)}


def input_item(execution_id: str, digest: str, input: str, now: float) -> Item:
    return {**head(execution_id, INPUT + digest, now), "input": text(input)}


# -- commands ----------------------------------------------------------------------------------------------


def record_item(execution_id: str, record: Record, now: float, *, wake: bool = False) -> Item:
    sort = command_sort(record.id)
    item = head(execution_id, sort, now)
    if sort != COMMAND + record.id:
        item["id"] = text(record.id)
    item |= {"rev": number(record.revision), "gen": number(record.generation), "stat": text(record.status)}
    item |= {"kind": text(record.kind), "name": text(record.name)}
    if record.attempt:
        item["tries"] = number(record.attempt)
    if record.interrupted:
        item["cuts"] = number(record.interrupted)
    for name in _RECORD_TEXTS:
        value = getattr(record, name)
        if value is not None:
            # A text that was read from here and not looked at stays where it is.
            item[name] = cast(Value, value.place) if isinstance(value, StoredText) else text(value)
    item |= _times(record, _RECORD_TIMES)
    if record.error is not None:
        item["error"] = text(json_text(failure_list(record.error)))
    if record.attempts:
        item["past"] = text(attempts_text(record.attempts, record.error))
    if record.repair is not None:
        item["repair"] = text(record.repair)
    if record.waited is not None:
        item["waited"] = text(record.waited)
    if record.progress is not None:
        item["prog"] = text(record.progress)
    if record.children:
        item["kids"] = text(json_text(record.children))
    if (then := record.then) is not None:
        item["then"] = text(json_text([then.id, then.lease, then.generation, then.digest, then.started_at]))
    if wake:
        item["wake"] = number(1)
    return item


def record_of(item: Item, later: Callable[[Value], StoredText] | None = None) -> Record:
    """The record of an item. later: what stands for a value that was moved out, where such values are not filled in."""
    checked(item)
    error = _failure(item)
    past, then, children = text_in(item, "past"), text_in(item, "then"), text_in(item, "kids")
    plain: dict[str, Any] = {
        name: later(item[name]) if later is not None and "M" in item.get(name, ()) else text_in(item, name)
        for name in _RECORD_TEXTS
    }
    plain |= {field: float_in(item, name) for field, name in _RECORD_TIMES.items()}
    return Record(
        id=text_in(item, "id") or sort_of(item)[len(COMMAND) :],
        kind=cast(Any, item["kind"]["S"]),
        name=item["name"]["S"],
        status=cast(Any, item["stat"]["S"]),
        generation=int_in(item, "gen"),
        revision=int_in(item, "rev"),
        attempt=int_in(item, "tries"),
        interrupted=int_in(item, "cuts"),
        error=error,
        then=Chained(*json.loads(then)) if then else None,
        attempts=attempts_of(past, error) if past else (),
        children=tuple(json.loads(children)) if children else (),
        repair=text_in(item, "repair"),
        waited=text_in(item, "waited"),
        progress=text_in(item, "prog"),
        **plain,
    )


def signal_item(execution_id: str, signal: Signal, place: int, now: float, run: int = 1) -> Item:
    item = head(execution_id, SIGNAL + signal.signal_id, now)
    item |= {"name": text(signal.name), "payload": text(signal.payload), "received": number(signal.received_at)}
    item["n"] = number(place)
    if run > 1:
        item["run"] = number(run)
    return {**item, "wake": number(1)}


def signal_of(item: Item) -> Signal:
    checked(item)
    sort, received = str(item["sk"]["S"]), float(item["received"]["N"])
    signal_id = sort[len(TAKEN if sort.startswith(TAKEN) else SIGNAL) :]
    place, run = int_in(item, "n"), int_in(item, "run") or 1
    return Signal(signal_id, item["name"]["S"], text_in(item, "payload") or "", received, place, run)


def event_item(execution_id: str, event: Event, sort: str, now: float) -> Item:
    item = head(execution_id, sort, now) | {"time": number(event.at), "type": text(event.type)}
    if event.command is not None:
        item["command"] = text(event.command)
    if event.details:
        item["details"] = text(json_text(dict(event.details)))
    return item


def event_of(item: Item) -> Event:
    checked(item)
    details = text_in(item, "details")
    at = float(item["time"]["N"])
    return Event(at, item["type"]["S"], text_in(item, "command"), json.loads(details) if details else {})


# -- parts -------------------------------------------------------------------------------------------------


def _times(value: object, fields: dict[str, str]) -> Item:
    times = {name: getattr(value, field) for field, name in fields.items()}
    return {name: number(at) for name, at in times.items() if at is not None}


def _failure(item: Item) -> Failure | None:
    written = text_in(item, "error")
    return failure_of(json.loads(written)) if written else None
