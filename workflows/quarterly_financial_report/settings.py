"""Read at every call, so that a mended setting counts for the next attempt. Only what is declared is read at import."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

PDF_PROBE = float(os.environ.get("REPORT_PDF_PROBE", "30"))
"""Seconds between two attempts that reach the PDF service while it fails. A gate is declared in code, at import."""


@dataclass(frozen=True)
class Settings:
    """Where the report's outside world is; relative paths start at the current directory."""

    ledger: Path
    pdf_url: str
    smtp_host: str
    smtp_port: int
    output: Path
    sender: str

    @classmethod
    def from_environment(cls) -> Self:
        """ValueError when REPORT_SMTP_PORT is not a number."""
        get = os.environ.get
        port = get("REPORT_SMTP_PORT", "8725")
        if not port.isdecimal():
            raise ValueError(f"REPORT_SMTP_PORT must be a port number, not {port!r}")
        return cls(
            ledger=Path(get("REPORT_LEDGER", ".stepfast/ledger.csv")),
            pdf_url=get("REPORT_PDF_URL", "http://127.0.0.1:8791").rstrip("/"),
            smtp_host=get("REPORT_SMTP_HOST", "127.0.0.1"),
            smtp_port=int(port),
            output=Path(get("REPORT_OUTPUT", ".stepfast/reports")),
            sender=get("REPORT_SENDER", "reports@example.com"),
        )
