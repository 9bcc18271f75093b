"""`stepfast webhooks list`, `show`, `dead-letters`, `redeliver` and `secret`."""

from __future__ import annotations

import base64
import secrets
from typing import Annotated, Any

import typer

from stepfast.cli import printing
from stepfast.cli.session import AsJson, session
from stepfast.cli.timeline import Object, clock

app = typer.Typer(
    help="Webhooks: what they have not taken yet, their dead letters, and secrets.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The webhook.")]
Limit = Annotated[int, typer.Option(help="The most events of a page.", min=1, max=100)]
Cursor = Annotated[str | None, typer.Option(help="The `next` of an earlier page.")]
NEW_KEY_BYTES = 32


@app.command("list")
def list_webhooks(context: typer.Context, as_json: AsJson = False) -> None:
    """List the webhooks of the settings, with the events that each has not taken."""
    with session(context).client() as client:
        webhooks = client.webhooks()
    if as_json:
        return printing.print_json({"webhooks": webhooks})
    if not webhooks:
        return printing.say("the settings have no webhooks: see [tool.stepfast.webhooks]")
    rows = [
        [webhook["name"], webhook["origin"], str(webhook["pending"]), str(webhook["dead"]), webhook["reason"]]
        for webhook in webhooks
    ]
    headers = ("name", "to", "pending", "dead letters", "last failure")
    return printing.show_rows(headers, [list(map(printing.shown, row)) for row in rows])


@app.command("show")
def show(context: typer.Context, name: Name, limit: Limit = 50, cursor: Cursor = None, as_json: AsJson = False) -> None:
    """Show a webhook and the events that it has not taken yet."""
    with session(context).client() as client:
        webhook = client.webhook(name, limit, cursor)
    if as_json:
        return printing.print_json(webhook)
    wants = "; ".join(f"{field} {', '.join(webhook[field]) or 'all'}" for field in ("workflows", "statuses"))
    printing.say(printing.shown(f"{webhook['name']} to {webhook['origin']}: {wants}"))
    printing.say(f"{webhook['pending']} pending, {webhook['dead']} dead letter(s)")
    return _print(webhook, f"show {name}")


@app.command("dead-letters")
def dead_letters(
    context: typer.Context, name: Name, limit: Limit = 50, cursor: Cursor = None, as_json: AsJson = False
) -> None:
    """List the events that a webhook is not sent any more."""
    with session(context).client() as client:
        page = client.webhook_dead_letters(name, limit, cursor)
    if as_json:
        return printing.print_json(page)
    if not page["deliveries"]:
        return printing.say("no dead letters")
    return _print(page, f"dead-letters {name}")


@app.command("redeliver")
def redeliver(
    context: typer.Context,
    name: Name,
    event_id: Annotated[str | None, typer.Argument(metavar="[EVENT_ID]", help="One dead letter; all without.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send the dead letters of a webhook anew, all of them or one."""
    with session(context).client() as client:
        count = client.redeliver_webhook(name, event_id)
    if as_json:
        return printing.print_json({"redelivered": count})
    return printing.say(f"{count} event(s) are sent anew")


@app.command("secret")
def secret(context: typer.Context, as_json: AsJson = False) -> None:
    """Print a new random secret, for you and the receiver. Nothing keeps it."""
    made = f"whsec_{base64.b64encode(secrets.token_bytes(NEW_KEY_BYTES)).decode()}"
    return printing.print_json({"secret": made}) if as_json else printing.say(made)


def _print(page: dict[str, Any], command: str) -> None:
    deliveries: list[Object] = page["deliveries"]
    rows = [
        [
            *(each["event_id"], each["type"], each["execution_id"], clock(each["made_at"]), str(each["attempts"])),
            *(clock(each["due_at"]) if each["due_at"] else "", each["reason"]),
        ]
        for each in deliveries
    ]
    headers = ("event", "type", "execution", "made (UTC)", "attempts", "next (UTC)", "last failure")
    if rows:
        printing.show_rows(headers, [list(map(printing.shown, row)) for row in rows])
    if page["next"]:
        printing.hint(f"more: stepfast webhooks {command} --cursor {page['next']}")
