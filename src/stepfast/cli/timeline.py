"""An execution as text: its state, and a line for each command with its attempts and waits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from stepfast.cli.folding import Fold, Row
from stepfast.cli.printing import lines, short_json, shown, styled

Object = dict[str, Any]
MARGIN = 60.0
"""Seconds after its due time at which the API calls a command overdue."""
LONGEST_VALUE = 200
"""Characters of a status value or of progress that a line has."""
NAMED = 20
"""Commands that a resume runs again, as many as are named."""
WIDE_COLUMNS = 100
"""From this width on, notes stand beside their command; on a narrower terminal they follow the table."""

MARKS = {
    "SUCCEEDED": ("✓", "green"),
    "FAILED": ("✗", "red"),
    "CANCELLED": ("–", "dim"),
    "RUNNING": ("▸", "cyan"),
    "PAUSED": ("‖", "yellow"),
    "CLOSED": ("✗", "dim"),
    "RETRYING": ("↻", "yellow"),
    "OPEN": ("○", "dim"),
    "CONTINUED": ("→", "green"),
}


def moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def clock(text: str | None) -> str:
    """A time in UTC, to the second."""
    return "" if text is None else text[:19].replace("T", " ")


def span(seconds: float) -> str:
    """A duration, rounded to what is readable."""
    seconds = max(0.0, seconds)
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


def took(command: Object, begun: str = "first_at", now: datetime | None = None) -> str:
    """The duration of a command or an execution, up to now if it still runs."""
    start, end = moment(command.get(begun)), moment(command.get("ended_at"))
    if start is None:
        return ""
    return span(((end or now or datetime.now(UTC)) - start).total_seconds())


def status_text(status: str) -> Text:
    mark, style = MARKS.get(status, ("?", ""))
    return styled(f"{mark} {status}", style)


def render(
    execution: Object,
    tracebacks: bool = False,
    *,
    rows: Sequence[Row] | None = None,
    left: int | None = 0,
    width: int = WIDE_COLUMNS,
    first: Sequence[Row] = (),
) -> RenderableType:
    """The whole execution; commands are timed from its start.

    rows: those to show, all where left out. left: how many commands are not shown; None if there are more and nobody
    knows how many. width: columns of the terminal. first: rows to show above all others.
    """
    shown_rows = execution["commands"] if rows is None else rows
    parts: list[RenderableType] = [_head(execution), Text("")]
    if first:
        parts += [styled("look at these first", "bold"), _commands(execution, first, width), Text("")]
    parts.append(_commands(execution, shown_rows, width))
    parts += _signals(execution)
    if left is None:
        parts.append(Text("… and more, by their ids: --all, --step NAME, --failed, or --json for all", style="dim"))
    elif left:
        parts.append(Text(f"… and {left:,} more: --limit N, --step NAME, --failed, or --json for all", style="dim"))
    if tracebacks:
        parts += _tracebacks(execution)
    return Group(*parts)


def progress_text(progress: Object) -> str:
    """How far a map has come, in a line."""
    batches = "?" if progress["batches"] is None else f"{progress['batches']:,}"
    failed = f", {progress['failed']:,} failed" if progress["failed"] else ""
    ended = f"{progress['batches_ended']:,} of {batches} batches ended"
    return f"{progress['name']}: {ended}, {progress['succeeded']:,} items succeeded{failed}"


def value_text(value: object) -> str:
    """A status value or the progress of a step, in a line: a text as it is, anything else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _by_hand(hand: Object, workflow: str) -> str:
    """What an operator has done last, when, who it was, and why."""
    by = f" by {hand['by']}" if hand["by"] else ""
    if hand["action"] == "hold":
        why = f" ({hand['why']})" if hand["why"] else ""
        since = f"held since {clock(hand['at'])} UTC, because its workflow is paused{by}{why}"
        return f"{since}: `stepfast workflows unpause {workflow}` starts it"
    with_parent = f" with {hand['parent']}" if hand["parent"] else ""
    why = f": {hand['why']}" if hand["why"] else ""
    return f"{hand['action']}{with_parent} at {clock(hand['at'])} UTC{by}{why}"


def _head(execution: Object) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("execution", styled(execution["execution_id"], "bold"))
    table.add_row("workflow", styled(execution["workflow"]))
    table.add_row("status", status_text("CONTINUED" if execution.get("continued") else execution["status"]))
    if (hand := execution.get("intervention")) is not None:
        table.add_row("by hand", styled(_by_hand(hand, execution["workflow"])))
    if (parent := execution.get("parent")) is not None:
        left = ", which has left it" if parent["left"] else ""
        table.add_row("child of", styled(f"{parent['execution_id']} ({parent['command']}){left}"))
    if origin := execution.get("forked_from"):
        table.add_row("forked from", styled(_origin(origin)))
    if execution["status"] == "RUNNING" and not execution.get("begun", True):
        moment = execution.get("begins_at")
        table.add_row("begins", styled(moment or "when those of its key that were started before have ended"))
    if execution["status"] == "RUNNING" and execution.get("deployed") is False:
        table.add_row("waits", styled("its workflow is not deployed", "yellow"))
    resumes = execution.get("resumes", execution.get("generation"))  # a server of version 0.1 has only `generation`
    resumed = f", resumed {resumes} time(s)" if resumes else ""
    if late := len(_overdue(execution)):
        table.add_row("overdue", styled(f"{late} command(s): see below", "bold red"))
    started = f"{clock(execution['created_at'])} UTC, {took(execution, 'created_at')}{resumed}"
    table.add_row("started", started)
    if execution.get("run", 1) > 1 or execution.get("continued"):
        table.add_row("run", _run(execution))
    if counts := execution.get("counts"):
        by_status = ", ".join(f"{count:,} {status}" for status, count in counts.items())
        table.add_row("commands", styled(f"{execution['total']:,}: {by_status}"))
    if execution["labels"]:
        table.add_row("labels", styled(" ".join(f"{key}={value}" for key, value in execution["labels"].items())))
    if execution.get("status_value") is not None:
        table.add_row("shows", styled(value_text(execution["status_value"])))
    table.add_row("input", short_json(execution["input"]))
    for command in execution.get("notable") or execution.get("commands") or ():
        if command.get("progress") is not None and command["status"] in ("RUNNING", "RETRYING"):
            table.add_row("progress", styled(f"{command['id']}: {value_text(command['progress'])}"))
    for progress in execution.get("progress") or ():
        table.add_row("map", styled(progress_text(progress)))
    if execution["status"] == "SUCCEEDED" and not execution.get("continued"):
        table.add_row("result", short_json(execution["result"]))
    if execution["error"] is not None:
        table.add_row("error", styled(error_text(execution["error"]), "red"))
    if execution.get("reopens") is not None:
        table.add_row("resume", _resume(execution))
    return table


def _origin(origin: Object) -> str:
    """Where a fork comes from, who has made it, and why."""
    before = f", before {', '.join(origin['before'])}" if origin["before"] else ""
    by = f", by {origin['by']}" if origin["by"] else ""
    why = f": {origin['why']}" if origin["why"] else ""
    return f"{origin['execution_id']}{before}{by}{why}"


def _overdue(execution: Object) -> set[str]:
    shown_commands = [*execution["commands"], *execution.get("notable", ())]
    return {command["id"] for command in shown_commands if command.get("overdue")}


def _run(execution: Object) -> Text:
    """Which run this is; `--run` shows another one."""
    id, number = execution["execution_id"], execution["run"]
    text = f"{number}, from {clock(execution.get('began_at') or execution['created_at'])} UTC"
    if execution["continued"]:
        text += f" to {clock(execution['ended_at'])} UTC: it has continued as run {number + 1}"
    elif number > 1:
        text += f"; the one before: stepfast show {id} --run {number - 1}"
    return styled(text)


def _resume(execution: Object) -> Text:
    """The commands that a resume of a FAILED execution would run again."""
    if ids := execution["reopens"]:
        more = f", and {len(ids) - NAMED:,} more" if len(ids) > NAMED else ""
        return styled(f"runs again: {', '.join(ids[:NAMED])}{more}")
    id = execution["execution_id"]
    said = "no failed step stands behind this: mend the code first, or name the step to run again: "
    return styled(f"{said}stepfast resume {id} --step COMMAND")


def error_text(error: Object) -> str:
    """An error in one line."""
    place = f" (in {error['step']})" if error.get("step") else ""
    return f"{error['type']}: {error['message']}{place}"


def _commands(execution: Object, rows: Sequence[Row], width: int) -> RenderableType:
    if not rows:
        return Text("no commands match" if execution["commands"] else "no commands yet", style="dim")
    begun = moment(execution.get("began_at") or execution["created_at"])
    assert begun is not None
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("command", overflow="fold")
    table.add_column("status", no_wrap=True)
    table.add_column("tries", justify="right")
    table.add_column("start", justify="right", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    narrow = width < WIDE_COLUMNS
    if not narrow:
        table.add_column("", overflow="fold", ratio=1)
    parts: list[RenderableType] = [table]
    for row in rows:
        cells, texts = (_fold_cells(row, begun), _fold_notes(row)) if isinstance(row, Fold) else _cells(row, begun)
        notes = Text("\n").join(Text(note, style) for note, style in texts)
        if narrow:
            table.add_row(*cells)
            if notes.plain:
                label = row.name if isinstance(row, Fold) else row["id"]
                parts.append(Text.assemble(styled(label, "dim"), ": ", notes))
        else:
            table.add_row(*cells, notes)
    return Group(*parts)


def _cells(command: Object, begun: datetime) -> tuple[tuple[RenderableType, ...], list[tuple[str, str]]]:
    tries = str(command["attempt"]) if command["kind"] == "step" and command["attempt"] else ""
    running = took(command) if command["status"] != "CANCELLED" or command["ended_at"] else ""
    cells = (styled(command["id"]), status_text(command["status"]), tries, _since(begun, command["first_at"]), running)
    return cells, [*_notes(command)]


def _fold_cells(fold: Fold, begun: datetime) -> tuple[RenderableType, ...]:
    whole = took({"first_at": fold.first_at, "ended_at": fold.ended_at})
    name = styled(f"{fold.name} ×{len(fold.commands):,}")
    return name, status_text(fold.status), "", _since(begun, fold.first_at), whole


def _fold_notes(fold: Fold) -> list[tuple[str, str]]:
    return [(f"{fold.retried:,} of them after failed attempts", "yellow")] if fold.retried else []


def _since(begun: datetime, at: str | None) -> str:
    first = moment(at)
    return "" if first is None else f"+{span((first - begun).total_seconds())}"


def _notes(command: Object) -> Iterator[tuple[str, str]]:
    """Notes on a command with their styles: failed attempts, waits, errors."""
    for past in command["attempts"]:
        if past["error"] is not None:
            again = moment(past["next_at"])
            ended = moment(past["ended_at"])
            pause = f"; again after {span((again - ended).total_seconds())}" if again and ended else ""
            cause = "interrupted" if past["error"]["type"] == "StepInterrupted" else past["error"]["type"]
            error = f"{cause}: {past['error']['message']}"
            yield shown(f"try {past['attempt']}, {took(past, 'started_at')}: {error}{pause}"), "yellow"
        elif past["next_at"] is not None:
            yield f"try {past['attempt']}: cut off by a crash", "yellow"
    for wait in command.get("waited", ()):
        yield shown(_waited(wait)), "dim"
    if command.get("children"):
        *earlier, current = command["children"]
        more = f"; before it {', '.join(earlier)}" if earlier else ""
        yield shown(f"execution {current}{more}"), "dim"
    if command.get("overdue"):
        since = moment(command["overdue_at"])
        assert since is not None
        late = span((datetime.now(UTC) - since).total_seconds() + MARGIN)
        yield f"OVERDUE by {late}: nothing has taken it up; see the server's log", "bold red"
    if (wait := command.get("limit_wait")) is not None:
        yield shown(_limit_wait(wait)), "dim"
    elif command["status"] in ("OPEN", "RETRYING") and command["due"]:
        word = "until" if command["kind"] == "timer" else "again at"
        yield f"{word} {clock(command['due'])} UTC", "dim"
    elif command.get("held_until"):
        yield f"begun before the resume; tried again at {clock(command['held_until'])} UTC at the latest", "dim"
    elif command["kind"] == "signal" and command["status"] == "OPEN":
        updates = command["name"] == ":update"  # no name of a signal has a colon
        yield shown("waits for updates" if updates else f"waits for the signal {command['name']!r}"), "dim"
    elif command["status"] == "FAILED" and command["error"] and not command["attempts"]:
        yield shown(f"{command['error']['type']}: {command['error']['message']}"), "red"


def _limit_wait(wait: Object) -> str:
    """What a step waits for: a gate, a slot, or its moment."""
    key = f" of key {wait['key']!r}" if wait["key"] else ""
    since = f" since {clock(wait['since'])} UTC" if wait["since"] else ""
    before = f", {wait['before']:,} before it" if wait["before"] else ""
    if wait["waits_for"] == "slot":
        return f"waits for a slot of limit {wait['limit']!r}{key}{since}{before}"
    if wait["waits_for"] == "rate":
        return (
            f"waits for the rate of limit {wait['limit']!r}{key}; begins at {clock(wait['next_at'])} UTC at the latest"
        )
    gate = f"waits for gate {wait['limit']!r}{key}{since}{before}"
    by = f" by {wait['by']}" if wait["by"] else ""
    why = f" ({wait['why'] or wait['cause']})" if wait["why"] or wait["cause"] else ""
    if wait["gate"] == "RAMPING":
        return f"{gate}; it opens since {clock(wait['gate_since'])} UTC{by}{why}"
    probe = "this step is the next probe" if wait["probe"] else "next probe"
    ends = f"{probe} at {clock(wait['next_at'])} UTC" if wait["next_at"] else "until somebody opens it"
    return f"{gate}; closed at {clock(wait['gate_since'])} UTC{by}{why}, {ends}"


def _waited(wait: Object) -> str:
    """What a step has waited for before one of its attempts."""
    key = f" of key {wait['key']!r}" if wait["key"] else ""
    limit, so_long = repr(wait["limit"]), took({"first_at": wait["since_at"], "ended_at": wait["until_at"]})
    if wait["waited_for"] != "gate":
        return f"waited {so_long} for {'a slot' if wait['waited_for'] == 'slot' else 'the rate'} of limit {limit}{key}"
    if "closed_at" not in wait:
        return f"waited {so_long} for gate {limit}{key}"
    by = f" by {wait['by']}" if "by" in wait else ""
    why = wait.get("why") or wait.get("cause")
    opened = f"from {clock(wait['closed_at'])} to {clock(wait['opened_at'])} UTC" if "opened_at" in wait else ""
    closed = f"closed {opened or 'at ' + clock(wait['closed_at']) + ' UTC'}{by}" + (f" ({why})" if why else "")
    closed += "" if opened else ", and was its probe"
    return f"waited {so_long} for gate {limit}{key}; {closed}"


def _signals(execution: Object) -> Iterator[RenderableType]:
    """Notes on signals that no command has taken. A server before version 0.2 does not report them."""
    for refusal in execution.get("signals_not_taken") or ():
        yield Text("")
        sent = clock(refusal["received_at"])
        yield styled(f"signal {refusal['name']} of {sent} UTC was not taken: {refusal['reason']}", "yellow")


def _tracebacks(execution: Object) -> Iterator[RenderableType]:
    commands = [*execution.get("notable", ()), *execution["commands"]]
    errors = {command["id"]: command["error"] for command in commands}
    for name, error in [*errors.items(), ("the execution", execution["error"])]:
        if error is not None and error.get("traceback"):
            yield Text("")
            yield styled(f"traceback of {name}", "bold")
            yield Text("\n".join(lines(error["traceback"])))
