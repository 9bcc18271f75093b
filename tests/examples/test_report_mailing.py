"""Real SMTP to the mail sink's process: what arrives, once or twice, and what a refusal leads to."""

import asyncio
import hashlib
import smtplib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from stepfast import GiveUp
from stepfast.testing import step_context
from tests.examples.processes import MailSink
from workflows.quarterly_financial_report import distribute
from workflows.quarterly_financial_report.mailing import DeliveryFailed, send_report
from workflows.quarterly_financial_report.models import Document
from workflows.quarterly_financial_report.settings import Settings

PEOPLE = ["cfo@example.com", "board@example.com"]
KEY = "0198c1f2-7d1e-7a53-b1d4-2f3a4b5c6d7e/distribute#1/" + "x" * 90


@pytest.fixture
def document(tmp_path: Path) -> Document:
    path, data = tmp_path / "report.pdf", b"%PDF-1.4\n" + bytes(range(256)) * 50
    path.write_bytes(data)
    return Document(
        title="Quarterly financial report Q3 2026",
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        pages=2,
        size=len(data),
    )


def settings_for(host: str, port: int) -> Settings:
    return Settings(Path("ledger"), "http://unused", host, port, Path("out"), "controlling@example.com")


@contextmanager
def mail_server(refuse: dict[str, str], message: str = "250 ok") -> Iterator[int]:
    """A mail server that answers as told: per recipient, and to the message."""

    class Handler:
        async def handle_RCPT(
            self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
        ) -> str:
            if address in refuse:
                return refuse[address]
            envelope.rcpt_tos.append(address)
            return "250 ok"

        async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
            return message

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        handler = Handler()
        server = await loop.create_server(lambda: SMTP(handler, loop=loop), "127.0.0.1", 0)
        async with server:
            known.update(port=server.sockets[0].getsockname()[1], stop=stop, loop=loop)
            ready.set()
            await stop.wait()

    known: dict[str, object] = {}
    ready = threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        port = known["port"]
        assert isinstance(port, int)
        yield port
    finally:
        loop, stop = known["loop"], known["stop"]
        assert isinstance(loop, asyncio.AbstractEventLoop)
        assert isinstance(stop, asyncio.Event)
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


def test_the_report_arrives_with_the_pdf_attached(mail_sink: MailSink, document: Document) -> None:
    receipt = send_report(document, PEOPLE, KEY, settings_for(mail_sink.host, mail_sink.port), 20)
    (message,) = mail_sink.messages()
    assert message["Subject"] == document.title
    assert message["From"] == "controlling@example.com"
    assert [address.addr_spec for address in message["To"].addresses] == PEOPLE
    (attachment,) = message.iter_attachments()
    assert attachment.get_content_type() == "application/pdf"
    assert attachment.get_filename() == "Quarterly financial report Q3 2026.pdf"
    assert attachment.get_content() == document.path.read_bytes()
    assert receipt.message_id == message["Message-ID"]
    assert receipt.accepted == PEOPLE
    assert receipt.refused == {}
    assert receipt.sha256 == document.sha256


@pytest.mark.parametrize("key", ["7f3c.distribute-1", "7f3c.distribute-1." + "x" * 50, "7f3c." + "x" * 120])
def test_a_repeated_step_sends_the_same_message_id_and_the_sink_keeps_one_file(
    report_settings: Settings,
    mail_sink: MailSink,
    document: Document,
    key: str,
) -> None:
    with step_context(distribute, idempotency_key=key):
        first, second = distribute.function(document, PEOPLE), distribute.function(document, PEOPLE)
    assert first.message_id == second.message_id == f"<{key}@stepfast>"
    assert [path.name for path in mail_sink.folder.iterdir()] == [f"{key}@stepfast.eml"]
    assert mail_sink.messages()[0]["Message-ID"] == first.message_id


def test_different_keys_are_different_mails(mail_sink: MailSink, document: Document) -> None:
    settings = settings_for(mail_sink.host, mail_sink.port)
    for key in ("a/b", "a-b", "a b"):
        send_report(document, PEOPLE, key, settings, 20)
    assert len(mail_sink.messages()) == 3


def test_a_mail_without_message_id_is_kept_too_and_no_name_leads_out_of_the_folder(
    mail_sink: MailSink,
) -> None:
    for message_id in (None, "<../../../outside@x>", "<" + "long" * 100 + "@x>"):
        message = EmailMessage()
        message["To"], message["From"] = "a@example.com", "b@example.com"
        message.set_content("hello")
        if message_id:
            message["Message-ID"] = message_id
        with smtplib.SMTP(mail_sink.host, mail_sink.port, timeout=20) as smtp:
            smtp.send_message(message)
    assert len(mail_sink.messages()) == 3
    assert all(path.parent == mail_sink.folder for path in mail_sink.folder.parent.rglob("*.eml"))


def test_the_sink_ends_cleanly_on_sigterm_also_with_a_client_that_stays(tmp_path: Path) -> None:
    sink = MailSink(tmp_path)
    sink.start()
    with socket.create_connection((sink.host, sink.port), timeout=20) as client:
        assert client.recv(100).startswith(b"220 ")
        assert sink.stop() == 0


def test_a_mail_server_that_is_away_is_an_ordinary_failure(document: Document) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(DeliveryFailed, match=f"mail server 127.0.0.1:{port} is not reachable"):
        send_report(document, PEOPLE, KEY, settings_for("127.0.0.1", port), 20)


@pytest.mark.parametrize(
    ("refuse", "message", "error"),
    [
        ({}, "451 try again later", DeliveryFailed),
        ({}, "554 no such reports here", GiveUp),
        (dict.fromkeys(PEOPLE, "550 unknown"), "250 ok", GiveUp),
        ({PEOPLE[0]: "550 unknown", PEOPLE[1]: "450 busy"}, "250 ok", DeliveryFailed),
    ],
)
def test_a_lasting_refusal_gives_up_and_a_passing_one_does_not(
    document: Document, refuse: dict[str, str], message: str, error: type[Exception]
) -> None:
    with mail_server(refuse, message) as port, pytest.raises(error, match=r"refused: [45]5"):
        send_report(document, PEOPLE, KEY, settings_for("127.0.0.1", port), 20)


def test_one_refused_address_does_not_keep_the_report_from_the_others(document: Document) -> None:
    with mail_server({PEOPLE[1]: "550 unknown"}) as port:
        receipt = send_report(document, PEOPLE, KEY, settings_for("127.0.0.1", port), 20)
    assert receipt.accepted == PEOPLE[:1]
    assert receipt.refused == {PEOPLE[1]: "550 unknown"}


def test_a_changed_or_missing_file_is_not_sent(document: Document) -> None:
    document.path.write_bytes(b"%PDF-1.4 something else")
    with pytest.raises(GiveUp, match="is not the file that was rendered"):
        send_report(document, PEOPLE, KEY, settings_for("127.0.0.1", 1), 20)
    document.path.unlink()
    with pytest.raises(GiveUp, match="is gone"):
        send_report(document, PEOPLE, KEY, settings_for("127.0.0.1", 1), 20)
