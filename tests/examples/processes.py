"""The examples' servers as real processes: started, stopped and started again on the same port."""

import re
import select
import subprocess
import sys
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

ROOT = Path(__file__).parents[2]
READY_SECONDS = 30.0


class ServerProcess:
    """`start()` returns once the server has printed its address; the first start takes a free port."""

    host = "127.0.0.1"

    def __init__(self, module: str, *options: str) -> None:
        self._module, self._options = module, options
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self) -> None:
        assert self._process is None, "already running"
        command = [sys.executable, "-m", self._module, "--port", str(self.port), *self._options]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        line = self._first_line(self._process)
        found = re.search(r"://127\.0\.0\.1:(\d+)", line)
        if found is None:
            self.stop()
            raise RuntimeError(f"{self._module} did not become ready, it said {line!r}")
        self.port = int(found[1])

    def stop(self) -> int:
        """Ends it by SIGTERM as an operator would, and returns its exit status; 0 when not running."""
        process, self._process = self._process, None
        if process is None:
            return 0
        with process:
            process.terminate()
            try:
                return process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                raise

    def _first_line(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], READY_SECONDS)
        return process.stdout.readline() if readable else ""


class PdfService(ServerProcess):
    def __init__(self) -> None:
        super().__init__("workflows.quarterly_financial_report.pdf_service")

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


class MailSink(ServerProcess):
    def __init__(self, folder: Path) -> None:
        super().__init__("workflows.quarterly_financial_report.mail_sink", "--folder", str(folder))
        self.folder = folder

    def messages(self) -> list[EmailMessage]:
        """What was delivered so far, by file name."""
        files = sorted(self.folder.glob("*.eml"))
        return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
