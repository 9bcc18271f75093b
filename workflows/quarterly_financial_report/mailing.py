"""Sends the report by SMTP: at least once, and recognisably the same message each time."""

import hashlib
import smtplib
from collections.abc import Sequence
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from urllib.parse import quote

from stepfast import GiveUp

from .models import Document, Receipt
from .settings import Settings


class DeliveryFailed(Exception):
    """The mail server is away or asks to come back later: retried by the step's policy."""


def send_report(document: Document, recipients: Sequence[str], key: str, settings: Settings, timeout: float) -> Receipt:
    """GiveUp when the server refuses for good, DeliveryFailed when another attempt may help.

    SMTP cannot promise exactly once: the connection may break after the server took the mail.
    The Message-ID is made of `key`, so mail servers and programs can drop the second copy.
    """
    message = compose(document, recipients, key, settings.sender)
    server = f"{settings.smtp_host}:{settings.smtp_port}"
    try:
        with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=timeout) as smtp:
            refused = smtp.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        # All were refused; one "later" among them is reason enough to come back.
        code, reason = min(error.recipients.values())
        raise _refusal(server, code, reason) from error
    except smtplib.SMTPResponseException as error:
        raise _refusal(server, error.smtp_code, error.smtp_error) from error
    except OSError as error:  # smtplib's "server disconnected" is one too
        raise DeliveryFailed(f"mail server {server} is not reachable: {error}") from error
    reasons = {address: f"{code} {_text(reason)}" for address, (code, reason) in refused.items()}
    return Receipt(
        message_id=str(message["Message-ID"]),
        sha256=document.sha256,
        accepted=[address for address in recipients if address not in reasons],
        refused=reasons,
    )


def compose(document: Document, recipients: Sequence[str], key: str, sender: str) -> EmailMessage:
    """The mail with the PDF attached; GiveUp when the file is not the one that was rendered."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Subject"] = document.title
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = f"<{quote(key, safe='')}@stepfast>"
    message.set_content(
        f"Hello,\n\nplease find attached: {document.title}, {document.pages} pages.\n"
        f"SHA-256 of the file: {document.sha256}\n"
    )
    message.add_attachment(
        _checked_bytes(document), maintype="application", subtype="pdf", filename=f"{document.title}.pdf"
    )
    return message


def _checked_bytes(document: Document) -> bytes:
    try:
        data = document.path.read_bytes()
    except FileNotFoundError:
        raise GiveUp(f"{document.path} is gone: put it back and resume, or start a new report") from None
    if hashlib.sha256(data).hexdigest() != document.sha256:
        raise GiveUp(f"{document.path} is not the file that was rendered: its SHA-256 differs")
    return data


def _refusal(server: str, code: int, reason: bytes | str) -> Exception:
    text = f"mail server {server} refused: {code} {_text(reason)}"
    return GiveUp(text) if 500 <= code < 600 else DeliveryFailed(text)


def _text(reason: bytes | str) -> str:
    return reason.decode(errors="replace") if isinstance(reason, bytes) else reason
