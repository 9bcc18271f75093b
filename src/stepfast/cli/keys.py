"""`stepfast keys create`, `list` and `revoke`: API keys in the table of a deployment, or in the file of a server."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from stepfast.cli import printing, timeline
from stepfast.cli.session import AsJson
from stepfast.errors import InvalidRequest, StartupError
from stepfast.restriction import Restriction

if TYPE_CHECKING:
    from stepfast.api_key import ApiKey
    from stepfast.cli.audited_keys import AuditedKeys
    from stepfast.http.key_file import KeyFile

app = typer.Typer(
    help="API keys: of a deployment on AWS, with credentials for its table, or of a server of yours, in a file.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

OfTable = Annotated[
    str, typer.Option("--table", envvar="STEPFAST_TABLE", help="The table's name, as the stack's output says.")
]
InRegion = Annotated[str | None, typer.Option("--region", help="By default where AWS_REGION or your profile says.")]
InFile = Annotated[
    Path | None,
    typer.Option("--file", help="The file of the keys of a server of yours, which STEPFAST_API_KEYS_FILE names."),
]
UNITS = {"h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Who or what uses the key, such as billing-service.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="look (read without values), read, run (start, signal), operate (cancel, resume); several by commas."
        ),
    ] = None,
    workflow: Annotated[
        list[str] | None,
        typer.Option(help="Limit the key to this workflow, or to all that begin so: 'report-*'; may be repeated."),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="Limit the key to executions with this label: key=value; may be repeated.")
    ] = None,
    expires_in: Annotated[
        str | None, typer.Option(help="Such as 12h, 90d or 52w; by default it never expires.")
    ] = None,
    table: OfTable = "",
    region: InRegion = None,
    file: InFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it: it is shown this once and stored nowhere."""
    if not scope:
        raise InvalidRequest("say what the key may do: --scope read, --scope run, --scope operate, or several")
    scopes = {part.strip() for text in scope for part in text.split(",")}
    restriction = Restriction(tuple(dict.fromkeys(workflow or ())), _labels(label or []))
    now = time.time()
    until = None if expires_in is None else now + _seconds(expires_in)
    key, text = _keys(table, region, file).create(name, scopes, now, until, restriction)
    if as_json:
        return printing.print_json({**_view(key, now), "key": text})
    printing.say(text)
    return printing.hint("keep it now: it is not shown again. Use it as STEPFAST_API_KEY, or as --api-key")


@app.command("list")
def list_keys(table: OfTable = "", region: InRegion = None, file: InFile = None, as_json: AsJson = False) -> None:
    """List the keys, newest first; never the secrets, which nobody has."""
    keys, now = _keys(table, region, file).list(), time.time()
    if as_json:
        return printing.print_json({"keys": [_view(key, now) for key in keys]})
    if not keys:
        return printing.say("no keys")
    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("id", "name", "scopes", "limited to", "made (UTC)", "expires (UTC)", "state"):
        shown.add_column(column, overflow="fold", no_wrap=column in ("id", "state"))
    for key in keys:
        view = _view(key, now)
        shown.add_row(
            printing.styled(key.key_id),
            printing.styled(key.name),
            printing.styled(" ".join(key.scopes)),
            printing.styled(_limits(key)),
            timeline.clock(view["created_at"]),
            timeline.clock(view["expires_at"]) or "never",
            printing.styled(view["state"], "" if view["state"] == "active" else "red"),
        )
    return printing.show(shown)


@app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as the list shows it.")],
    table: OfTable = "",
    region: InRegion = None,
    file: InFile = None,
) -> None:
    """End a key for good, at once (with a cache in front of the authorizer, once that has run out)."""
    # The whole key is accepted in place of its id; the secret part is ignored.
    whole_key = re.fullmatch(r"sf_([0-9a-f]{16})_.*", key_id)
    id = whole_key[1] if whole_key else key_id
    if not _keys(table, region, file).revoke(id, time.time()):
        raise InvalidRequest(f"no key that still works has the id {id!r}; see `stepfast keys list`")
    printing.say(f"revoked {id}")


def _keys(table: str, region: str | None, file: Path | None) -> AuditedKeys | KeyFile:
    if file is not None:
        from stepfast.http.key_file import KeyFile

        return KeyFile(file)
    # Imported here: other commands work without boto3, which need not be installed.
    from stepfast.functions.clients import Clients

    if not table.strip():
        raise StartupError(
            "name the table: --table, or STEPFAST_TABLE; the stack's output TableName has it. The keys of a server of "
            "yours are in a file: --file"
        )
    clients = Clients(region)
    _ = clients.dynamodb  # StartupError, if boto3 is missing
    from stepfast.cli.audited_keys import AuditedKeys

    return AuditedKeys(clients, table.strip())


def _labels(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if len({key for key, _, _ in pairs}) < len(pairs) or not all(equals for _, equals, _ in pairs):
        raise InvalidRequest("--label is key=value, such as team=billing, and each key once")
    return {key: value for key, _, value in pairs}


def _limits(key: ApiKey) -> str:
    labels = (f"{name}={value}" for name, value in key.restriction.labels.items())
    return " ".join((*key.restriction.workflows, *labels)) or "-"


def _seconds(text: str) -> float:
    parts = re.fullmatch(r"([1-9]\d{0,4})([hdw])", text.strip())
    if parts is None:
        raise InvalidRequest(f"--expires-in is a number of hours, days or weeks, such as 12h, 90d or 52w, not {text!r}")
    return int(parts[1]) * UNITS[parts[2]]


def _view(key: ApiKey, now: float) -> dict[str, Any]:
    return {
        "id": key.key_id,
        "name": key.name,
        "scopes": list(key.scopes),
        **key.restriction.as_json(),
        "created_at": _time(key.created_at),
        "expires_at": _time(key.until),
        "revoked_at": _time(key.revoked_at),
        "state": key.state(now),
    }


def _time(at: float | None) -> str | None:
    return None if at is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
