"""A mail server for the demo: keeps what it gets as .eml files and delivers nothing.

python -m workflows.quarterly_financial_report.mail_sink --port 8725 --folder .stepfast/mail
"""

import argparse
import asyncio
import hashlib
import signal
from collections.abc import Sequence
from email import message_from_bytes
from pathlib import Path
from urllib.parse import quote

from aiosmtpd.smtp import SMTP, Envelope, Session

from .files import write_atomically


class Folder:
    """aiosmtpd's handler: one file per Message-ID, so a duplicate replaces itself."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Answers 250 only once the file is on the disk; 451 asks the sender to come back."""
        content = envelope.original_content or b""
        path = self._folder / file_name(content)
        try:
            await asyncio.to_thread(write_atomically, path, content)
        except OSError as error:
            return f"451 cannot store the message: {error.strerror}"
        return f"250 stored as {path.name}"


def file_name(content: bytes) -> str:
    """From the Message-ID, quoted; from the content's hash when there is none or it is too long."""
    message_id = str(message_from_bytes(content)["Message-ID"] or "")
    name = quote(message_id.strip().strip("<>"), safe="@")  # a long one begins on a line of its own
    if not 0 < len(name) <= 200:
        name = hashlib.sha256(content).hexdigest()
    return f"{name}.eml"


async def serve(host: str, port: int, folder: Path) -> None:
    """Runs until SIGTERM or SIGINT; port 0 takes a free one. Prints its address when ready."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    handler = Folder(folder)
    server = await loop.create_server(lambda: SMTP(handler, enable_SMTPUTF8=True, loop=loop), host, port)
    try:
        address = server.sockets[0].getsockname()
        print(f"Mail sink ready on smtp://{address[0]}:{address[1]}, storing in {folder}", flush=True)
        await stop.wait()
    finally:
        server.close()  # and no wait_closed(): from Python 3.12 on it would wait for idle clients


def main(arguments: Sequence[str] | None = None) -> None:
    """Exits with one line when the port is taken."""
    parser = argparse.ArgumentParser(description="Store every mail as a file instead of delivering it.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8725)
    parser.add_argument("--folder", type=Path, default=Path(".stepfast/mail"))
    options = parser.parse_args(arguments)
    try:
        asyncio.run(serve(options.host, options.port, options.folder))
    except OSError as error:
        parser.exit(1, f"mail sink cannot start: {error}\n")


if __name__ == "__main__":
    main()
