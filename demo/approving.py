"""An approval by e-mail: the link is mailed by SMTP, a scanner opens it, and a person answers it once."""

from __future__ import annotations

import email
import smtplib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email import policy
from email.message import EmailMessage
from pathlib import Path

import httpx
from pydantic import BaseModel

from demo.parts import ensure, until
from stepfast import Client, Retry, callback, current_step, step, workflow
from stepfast.http.api import build
from stepfast.http.server import Server, address_of, listen
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime

HOST, PERSON = "127.0.0.1", "cfo@example.com"


class Decision(BaseModel):
    """Shall the expense be paid?"""

    approved: bool


class Expense(BaseModel):
    """An amount, and the port of the mail server by which the person is asked."""

    amount: str
    smtp_port: int


@step(retry=Retry(max_attempts=5, initial=0.2, backoff=2.0))
def ask_by_mail(expense: Expense, yes: str, no: str) -> None:
    """Sends both links. The Message-ID is the same in every attempt, so that a second copy replaces the first."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"], message["To"], message["Subject"] = "expenses@example.com", PERSON, f"Expense of {expense.amount}"
    message["Message-ID"] = f"<{current_step().idempotency_key.replace('/', '-')}@stepfast>"
    message.set_content(f"Approve: {yes}\nRefuse: {no}\n", cte="quoted-printable")
    with smtplib.SMTP(HOST, expense.smtp_port, timeout=10) as smtp:
        smtp.send_message(message)


@workflow("expense")
async def approve_expense(expense: Expense) -> str:
    """Waits for a person, at most three days."""
    async with callback("decision", Decision, timeout=timedelta(days=3)) as link:
        yes, no = link.url_for(Decision(approved=True)), link.url_for(Decision(approved=False))
        await ask_by_mail(expense, yes, no)
        decision = await link.answer()
    return "paid" if decision.approved else "refused"


def approve(folder: Path, mail: Path, smtp_port: int) -> None:
    """Tells this part of the story. folder: for its file. mail: where the mail server keeps what it gets."""
    with _served(folder / "expenses.db") as url, Client(url) as client:
        execution = client.run("expense", {"smtp_port": smtp_port, "amount": "1,250.00"}, "expense-1")
        until("the link is mailed", lambda: _links(mail))
        yes, no = _links(mail)
        print(f"e-mail to {PERSON}: {yes[:60]}…")
        for address in (yes, no):
            shown = httpx.get(address, headers={"accept": "text/html"})
            ensure("<form" in shown.text, "the link shows no page")
        ensure(execution.status() == "RUNNING", "who only opens a link has answered it")
        print("A mail scanner has opened both links: still RUNNING")
        ensure(httpx.post(yes, data={"confirm": "yes"}).status_code == 200, "the answer was not taken")
        ensure(execution.result(30) == "paid", "the expense was not paid")
        ensure(httpx.get(no).json()["status"] == "answered", "the link works twice")
        print("The person presses the button: SUCCEEDED, paid; the other link no longer works")


def _links(mail: Path) -> list[str]:
    """The addresses in the letter to the person: to approve, and to refuse."""
    for letter in mail.glob("*.eml"):
        message = email.message_from_bytes(letter.read_bytes(), policy=policy.default)
        if message["To"] == PERSON:
            lines = str(message.get_content()).splitlines()
            return [line.partition(": ")[2] for line in lines if line.startswith(("Approve", "Refuse"))]
    return []


@contextmanager
def _served(path: Path) -> Iterator[str]:
    """This workflow in this process, on a port of its own."""
    registry = Registry([approve_expense])
    with listen(HOST, 0) as listener:
        url = address_of(listener, HOST)
        with Runtime(registry, path, public_url=url) as runtime:
            server = Server(build(runtime.operations, registry, runtime.call, ends=runtime.ends), listener)
            thread = threading.Thread(target=server.run)
            thread.start()
            try:
                yield url
            finally:
                server.stop()
                thread.join()
