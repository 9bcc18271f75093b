"""`make deploy-local`: the stack of this repository, or of a project of your own, in the emulator, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path

from stepfast.backends.dynamodb.api_keys import SCOPES, ApiKeys
from tests.e2e.emulator import REGION, ROOT, Emulator, running

PORT, PLAIN = 4566, "127.0.0.1:4567"


def new_key(emulator: Emulator, table: str, *scopes: str) -> str:
    """An API key of the deployed stack, made as an operator makes one."""
    _, text = ApiKeys(emulator.client("dynamodb"), table).create("local", scopes or SCOPES, time.time())
    return text


def check_ports() -> None:
    """Ends the process with one line where another emulator, or anything else, has a port already."""
    for port in (PORT, int(PLAIN.rpartition(":")[2])):
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind(("127.0.0.1", port))
            except OSError as error:
                raise SystemExit(f"port {port} is taken ({error.strerror}): end what listens there first") from error


def project_at(text: str) -> Path:
    """A project's folder, as `stepfast init` makes it."""
    folder = Path(text).resolve()
    if not (folder / "cdk.json").is_file():
        raise argparse.ArgumentTypeError(f"{folder} has no cdk.json: name a folder that `stepfast init` has made")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(prog="make deploy-local", description=__doc__)
    parser.add_argument("--project", type=project_at, default=ROOT, help="the folder of the project to deploy")
    project = parser.parse_args().project
    check_ports()
    with (
        tempfile.TemporaryDirectory(prefix="stepfast-") as folder,
        running(Path(folder), PORT, plain=PLAIN) as emulator,
    ):
        print("bootstrapping and deploying: about half a minute", flush=True)
        emulator.bootstrap()
        outputs = emulator.deploy("stepfast", project)
        address = emulator.api_url(outputs).replace(emulator.url, f"http://{PLAIN}")
        print(f"export STEPFAST_URL='{address}'")
        print(f"export STEPFAST_API_KEY={new_key(emulator, outputs['TableName'])}")
        print("then, for example: stepfast list")
        account = {"AWS_ENDPOINT_URL": f"http://{PLAIN}", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        told = " ".join(f"{name}={value}" for name, value in {**account, "AWS_REGION": REGION}.items())
        print(f"more keys: {told} stepfast keys create me --scope read --table {outputs['TableName']}")
        print("Ctrl-C ends the emulator, and everything in it is gone.", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        main()
    except KeyboardInterrupt:
        pass
