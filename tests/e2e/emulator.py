"""ministack as a process of its own on loopback, with TLS and IAM enforced, and the real CDK talking to it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx

from stepfast.infra.target import architecture_here
from tests.loopback_servers import Tls

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".cache/ministack/bin/python"
LAUNCHER = Path(__file__).with_name("launcher.py")
REGION, ACCOUNT = "us-east-1", "000000000000"
CERTIFICATE = "tmp/ministack-tls/server.crt"
START, DEPLOY, END = 120, 600, 3
PATIENCE = 180.0
"""Seconds that an answer or a fact is waited for: a busy machine is no failure."""
CONNECTS = 3
"""How often a connection is tried again: of thousands of handshakes the emulator breaks one off."""
ARCHITECTURE = architecture_here()


@dataclass(frozen=True)
class Emulator:
    """A running emulator; `folder` holds its log, its certificate and its temporary files."""

    url: str
    folder: Path

    @property
    def certificate(self) -> str:
        return str(self.folder / CERTIFICATE)

    @property
    def tls(self) -> Tls:
        """For another server on this machine, which whoever trusts the emulator trusts too."""
        return Tls(self.folder / CERTIFICATE, self.folder / CERTIFICATE.replace(".crt", ".key"))

    def verification(self) -> ssl.SSLContext:
        """Trusts the emulator and nobody else."""
        return ssl.create_default_context(cafile=self.certificate)

    @property
    def environment(self) -> dict[str, str]:
        """What a program of this machine needs to take the emulator for AWS."""
        return {
            **_environment_without("AWS_", "STEPFAST_", "CDK_"),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CA_BUNDLE": self.certificate,
            "NODE_EXTRA_CA_CERTS": self._trusted(),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "CDK_DISABLE_CLI_TELEMETRY": "true",
        }

    def _trusted(self) -> str:
        """A file of the emulator's certificate and those that this machine's Node trusts as well, which npx needs."""
        before = os.environ.get("NODE_EXTRA_CA_CERTS")
        text = Path(before).read_text() if before else ""
        path = self.folder / "trusted.pem"
        path.write_text(f"{text}\n{Path(self.certificate).read_text()}")
        return str(path)

    def client(self, service: str, region: str = REGION) -> Any:
        """A boto3 client with the rights of the account's root."""
        session = boto3.session.Session("test", "test", region_name=region)
        return session.client(service, endpoint_url=self.url, verify=self.certificate)

    def cdk(self, *arguments: str, folder: Path = ROOT, cli: Path | None = None) -> str:
        """Runs the real CDK; its output, or an AssertionError with all of it.

        cli: a `cdk` of the user's own, run as in a shell whose Python environment is activated.
        """
        command = [str(cli)] if cli else [sys.executable, "-m", "stepfast.infra.cdk"]
        activated = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])} if cli else {}
        done = subprocess.run(
            [*command, "--no-notices", *arguments],
            cwd=folder,
            env={**self.environment, **activated},
            text=True,
            capture_output=True,
            timeout=DEPLOY,
        )
        assert done.returncode == 0, f"cdk {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def bootstrap(self) -> None:
        self.cdk("bootstrap", f"aws://{ACCOUNT}/{REGION}")

    def deploy(self, name: str, folder: Path = ROOT, *, keep: bool = False, cli: Path | None = None) -> dict[str, str]:
        """Deploys the project in a folder and gives the stack's outputs. keep: whether its data outlives the stack."""
        outputs = self.folder / "outputs.json"
        options = ["--require-approval", "never", "--outputs-file", str(outputs)]
        self.cdk("deploy", *options, *self._context(name, keep), folder=folder, cli=cli)
        found: dict[str, str] = json.loads(outputs.read_text())[name]
        return found

    def destroy(self, name: str, folder: Path = ROOT, *, keep: bool = False) -> None:
        self.cdk("destroy", "--force", *self._context(name, keep), folder=folder)

    def _context(self, name: str, keep: bool) -> list[str]:
        # Functions run on this machine. A folder of its own: someone else's synth at the same time stays as it is.
        context = {
            "name": name,
            "architecture": ARCHITECTURE,
            "keep": str(keep).lower(),
            "python": python_of_functions(),
        }
        given = [part for key, value in context.items() for part in ("-c", f"stepfast:{key}={value}")]
        return [*given, "--output", str(self.folder / "cdk.out")]

    def api_url(self, outputs: Mapping[str, str]) -> str:
        """The API by path: names below localhost resolve on some machines only."""
        api = outputs["ApiUrl"].split("//")[1].split(".")[0]
        return f"{self.url}/_aws/execute-api/{api}/$default"

    def http(self, outputs: Mapping[str, str], key: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(
            base_url=self.api_url(outputs),
            headers=headers,
            transport=httpx.HTTPTransport(verify=self.verification(), retries=CONNECTS),
            timeout=PATIENCE,
        )


@contextmanager
def running(
    folder: Path, port: int | None = None, *, plain: str = "", functions: Mapping[str, str] | None = None
) -> Iterator[Emulator]:
    """Starts the emulator and ends it again; RuntimeError when it does not come up.

    plain: an address to listen on without TLS as well. functions: variables that every function sees besides its own.
    """
    if not PYTHON.is_file():
        raise RuntimeError(f"no emulator in {PYTHON.parents[1]}: `make {PYTHON.parents[1].relative_to(ROOT)}/ready`")
    port = port or _free_port()
    with _temporary(folder / "tmp") as temporary:
        yield from _run(folder, temporary, port, plain, functions or {})


def trusting(folder: Path) -> dict[str, str]:
    """A variable by which functions trust servers that have the certificate of the emulator of this folder."""
    return {"SSL_CERT_FILE": str(folder / CERTIFICATE)}


def _run(folder: Path, temporary: Path, port: int, plain: str, functions: Mapping[str, str]) -> Iterator[Emulator]:
    environment = {
        # Functions inherit it: a CA of this machine would keep them from trusting the emulator's.
        **_environment_without("AWS_", "STEPFAST_", "SSL_CERT", "REQUESTS_CA", "CURL_CA", "NODE_EXTRA_CA", "PYTHON"),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "USE_SSL": "1",
        "AUTH": "true",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "TMPDIR": str(temporary),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        **({"WITHOUT_TLS": plain} if plain else {}),
        **functions,
    }
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            [PYTHON, str(LAUNCHER)], cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            emulator = Emulator(f"https://localhost:{port}", folder)
            _wait(emulator, process)
            yield emulator
        finally:
            process.terminate()
            try:
                process.wait(END)
            except subprocess.TimeoutExpired:  # it waits for whoever is connected; its functions end with it
                process.kill()
                process.wait()


@contextmanager
def _temporary(link: Path) -> Iterator[Path]:
    """A folder for as long as it is needed, to which `link` leads: in memory where that has room and may run code.

    Tens of thousands of unpacked files take a disk a minute to forget.
    """
    link.parent.mkdir(parents=True, exist_ok=True)
    memory = Path("/dev/shm")
    state = os.statvfs(memory) if memory.is_dir() else None
    roomy = state is not None and state.f_bavail * state.f_frsize > 4 * 1024**3 and not state.f_flag & os.ST_NOEXEC
    temporary = Path(tempfile.mkdtemp(prefix="stepfast-", dir=memory if roomy else link.parent))
    link.symlink_to(temporary)
    try:
        yield temporary
    finally:
        link.unlink()
        shutil.rmtree(temporary, ignore_errors=True)


def _wait(emulator: Emulator, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START
    while time.monotonic() < until and process.poll() is None:
        with suppress(httpx.TransportError, FileNotFoundError):
            if httpx.get(f"{emulator.url}/_ministack/health", verify=emulator.verification()).is_success:
                return
        time.sleep(0.2)
    raise RuntimeError(f"the emulator did not start:\n{(emulator.folder / 'ministack.log').read_text()[-3000:]}")


def _environment_without(*beginnings: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(beginnings)}


def python_of_functions() -> str:
    """The Python that functions run under here, as Lambda names it."""
    text = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([PYTHON, "-c", text], text=True, capture_output=True, check=True).stdout.strip()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
