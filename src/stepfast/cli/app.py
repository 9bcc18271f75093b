"""The command line's app: all commands, and the exit code of every foreseeable error."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from stepfast.cli import (
    audit,
    dead_letters,
    dev,
    doctor,
    export,
    forking,
    gates,
    interventions,
    invoke,
    jobs,
    key_file,
    keys,
    limits,
    links,
    mcp,
    new_project,
    pull,
    reading,
    repairing,
    results,
    running,
    schedules,
    steering,
    updates,
    verify,
    webhooks,
    workflows,
)
from stepfast.cli.printing import complain, errors_as_json, say
from stepfast.cli.session import DEFAULT_URL, Session
from stepfast.client import ExecutionCancelled, ExecutionFailed, Unreachable
from stepfast.errors import Refused, StartupError, Unavailable

EVERYWHERE = {"--url": 2, "--api-key": 2, "--iam": 1}
"""The options that may stand anywhere on the command line, and how many words each takes."""

AS_JSON = "stepfast.as_json"
UsageError: Any = typer.BadParameter.__base__
"""The exceptions of click, or of the copy of click inside Typer (from 0.25 on)."""


class CommandGroup(TyperGroup):
    """A Typer group that accepts the shared options after the command too, and prints an error in one line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        before = args[: args.index("--")] if "--" in args else args
        ctx.meta[AS_JSON] = "--json" in before
        errors_as_json(ctx.meta[AS_JSON])
        return super().parse_args(ctx, _to_front(args))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except StartupError as error:
            failure: Exception = error
            code, text = 2, str(error)
        except Unreachable as error:
            failure = error
            code, advice = 3, "start one with `stepfast dev`, or name another by --url"
            text = f"no stepfast at {ctx.obj.url} ({error.reason}); {advice}"
        except Unavailable as error:
            failure = error
            code, text = 3, f"{error}; try again later"
        except ExecutionFailed as error:
            failure = error
            code, id = 1, error.execution_id
            text = f"{error}; look at it with `stepfast show {id}`, and go on with `stepfast resume {id}`"
        except ExecutionCancelled as error:
            failure = error
            code, text = 1, str(error)
        except Refused as error:
            failure = error
            code, text = 2, str(error)
        except RecursionError as error:  # json.dumps supports fewer levels of nesting than json.loads
            failure = error
            code, text = 2, "the value is nested too deeply to be shown"
        except UsageError as error:
            if not ctx.meta.get(AS_JSON):
                raise
            failure = error
            code, text = 2, error.format_message()
        complain(text, type=type(failure).__name__, exit_code=code)
        raise typer.Exit(code)


def _to_front(args: list[str]) -> list[str]:
    front: list[str] = []
    rest: list[str] = []
    index = 0
    while index < len(args) and args[index] != "--":
        option, equals, _ = args[index].partition("=")
        width = 1 if equals else EVERYWHERE.get(option, 1)
        (front if option in EVERYWHERE else rest).extend(args[index : index + width])
        index += width
    return front + rest + args[index:]


app = typer.Typer(
    name="stepfast",
    cls=CommandGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Durable workflows as plain async Python. --url, --api-key and --iam may stand before or after the command.",
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # imported here: it takes a tenth of a short command's time

        say(f"stepfast {version('stepfast')}")
        raise typer.Exit


@app.callback()
def shared(
    context: typer.Context,
    url: Annotated[
        str,
        typer.Option(envvar="STEPFAST_URL", help="Where the API is; several, with commas between, are used together."),
    ] = DEFAULT_URL,
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar="STEPFAST_API_KEY", show_envvar=True, help="The key to it, or those to several, with commas between."
        ),
    ] = None,
    iam: Annotated[
        bool, typer.Option("--iam", envvar="STEPFAST_IAM", show_envvar=True, help="Sign with AWS credentials instead.")
    ] = False,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    context.obj = Session(url, api_key, iam)


app.command("dev")(dev.dev)
app.command("init")(new_project.init)
app.command("run")(running.run)
app.command("list")(reading.list_executions)
app.command("show")(reading.show)
app.command("results")(results.results)
app.command("export")(export.export)
app.command("watch")(running.watch)
app.command("resume")(steering.resume)
app.command("repair")(repairing.repair)
app.command("fork")(forking.fork)
app.command("pause")(interventions.pause)
app.command("unpause")(interventions.unpause)
app.command("close")(interventions.close)
app.command("reopen")(interventions.reopen)
app.command("cancel")(interventions.cancel)
app.command("terminate")(interventions.terminate)
app.command("delete")(steering.delete)
app.command("signal")(steering.signal)
app.command("query")(updates.query)
app.command("update")(updates.update)
app.command("audit")(audit.audit)
app.command("doctor")(doctor.doctor)
app.command("verify")(verify.verify)
app.command("pull")(pull.pull)
app.command("invoke")(invoke.invoke)
app.command("mcp")(mcp.mcp)
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(limits.app, name="limits")
app.add_typer(gates.app, name="gates")
app.add_typer(jobs.app, name="jobs")
app.add_typer(links.app, name="links")
app.add_typer(schedules.app, name="schedules")
app.add_typer(workflows.app, name="workflows")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(keys.app, name="keys")
app.add_typer(key_file.app, name="key-file")
