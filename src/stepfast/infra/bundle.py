"""Builds what Lambda runs from a zip, without docker: packages for the target, stepfast's runtime, the workflows.

The same input gives the same files on any machine and at any time: versions are resolved once for all
architectures (within constraints.txt, where the project has one), and what an installer writes about
itself is removed. The bundle includes boto3 although Lambda's runtime has it: the tested version runs,
whatever version AWS ships in its image that day. The models of services that nothing calls are left out.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution, version
from pathlib import Path

from stepfast.deployment import schedule_file
from stepfast.deployment.project import is_inside
from stepfast.deployment.schedules import ScheduledStart
from stepfast.errors import StartupError
from stepfast.infra import bytecode, lock, packing, requirements, service_models
from stepfast.infra.target import Target

# No function imports these. A bundle without them loads faster and has less to attack.
NOT_IN_LAMBDA = (
    *("cli", "infra", "integrations/mcp", "local", "simulator", "testing", "backends/sqlite"),
    *(f"http/{name}.py" for name in ("connections", "gateway", "lanes", "listener", "server")),
)
MB = 1024 * 1024
MAX_UNPACKED_BYTES = 250 * MB
"""Lambda's limit for a function's unpacked code, in bytes.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""
_LEFT_BY_INSTALLERS = frozenset(
    {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"}
)
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.py[co]", ".*", "tests")


@dataclass(frozen=True, slots=True)
class Source:
    """A project's folder and what of it is deployed.

    workflows: its folder, by its path from there. extras: of pyproject.toml's optional dependencies, those
    that the workflows need. include: further folders or files of the project that the workflows import or read.
    tracing: whether the functions trace, for which they need X-Ray's package. opentelemetry: whether they need its API.
    starts: the scheduled starts, which the API shows and starts by hand. encryption: whether values are encrypted, for
    which the functions need cryptography. sign_on: whether tokens are checked, for which they need PyJWT as well.
    """

    folder: Path
    workflows: str = "workflows"
    extras: Sequence[str] = ()
    include: Sequence[str] = ()
    tracing: bool = False
    opentelemetry: bool = False
    starts: Sequence[ScheduledStart] = ()
    encryption: bool = False
    sign_on: bool = False


@dataclass(frozen=True, slots=True)
class Bundle:
    """A folder ready for Lambda. `digest` depends only on the names and contents of its files, bytecode left out."""

    folder: Path
    digest: str

    @property
    def packages(self) -> dict[str, str]:
        """The version of every package in it, by name."""
        installed = (path.name.removesuffix(".dist-info") for path in self.folder.glob("*.dist-info"))
        return dict(sorted(name.rsplit("-", 1) for name in installed))


def check(source: Source) -> None:
    """Raises StartupError for a path outside the project's folder, which would have no place in the bundle."""
    for name in (source.workflows, *source.include):
        if not is_inside(name):
            raise StartupError(f"{name!r} cannot be deployed: name a folder or file inside {source.folder} by its path")
        if not (source.folder / name).exists():
            raise StartupError(
                f"{source.folder / name} is not there, but is to be deployed: make it, or do not name it"
            )


def build(source: Source, target: Target, cache: Path) -> Bundle:
    """The project's bundle for a target, from `cache` or built into it.

    If the project's constraints.txt has hashes, only files with those hashes are installed. `cache` also keeps the
    resolved versions: without a constraints.txt, delete it to get newer ones.
    Raises StartupError if uv is missing, a version cannot be found, a package has no wheel for the target, an included
    path does not exist, or the bundle is larger than Lambda's limit.
    """
    check(source)
    packages = installed(resolved(source, target, cache), target, cache)
    with tempfile.TemporaryDirectory(dir=cache) as work:
        folder = Path(work) / "bundle"
        shutil.copytree(packages, folder)
        add_code(source, folder)
        service_models.leave_out(folder, (source.workflows, *source.include))
        _compile_code(source, folder, target)
        weigh(folder, MAX_UNPACKED_BYTES, 'leave out what no step needs, or set packaging = "image" in [tool.stepfast]')
        return keep(folder, cache / f"bundle-{target.architecture}")


def add_code(source: Source, folder: Path) -> None:
    """Adds stepfast, the workflows and what is included to a folder."""
    folder.mkdir(exist_ok=True)
    _add_stepfast(folder)
    _add_workflows(source, folder)
    if text := schedule_file.file_text(source.starts):
        (folder / schedule_file.NAME).write_text(text, encoding="utf-8")
    normalise(folder)


def _compile_code(source: Source, folder: Path, target: Target) -> None:
    """Compiles what `add_code` adds. The packages were compiled when they were installed, once for all bundles."""
    for name in ("stepfast", source.workflows, *source.include):
        if (folder / name).is_dir():
            bytecode.add(folder / name, target.python, folder)
    packing.pack(folder)
    if sum(path.stat().st_size for path in _files(folder)) > MAX_UNPACKED_BYTES:
        bytecode.remove(folder)
    normalise(folder)


def keep(folder: Path, place: Path) -> Bundle:
    """Moves a folder to `place`, with a part of its digest behind the name, where it stays."""
    digest = digest_of(folder)
    final = place.with_name(f"{place.name}-{digest[:16]}")
    if not final.is_dir():
        _move(folder, final)
    return Bundle(final, digest)


def digest_of(folder: Path) -> str:
    """SHA-256 over the names and contents of all files but bytecode, which follows from them."""
    total = hashlib.sha256()
    sources = (path for path in _files(folder) if path.parent.name != bytecode.FOLDER)
    for path in sorted(sources, key=lambda path: path.relative_to(folder).as_posix()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return total.hexdigest()


def resolved(source: Source, target: Target, cache: Path, *, hashes: bool = False) -> str:
    """Every package with its exact version, for all architectures at once.

    hashes: whether each package has the hashes of its files also without a constraints.txt that has them.
    """
    asked = "\n".join(
        [
            *requirements.of_stepfast(source.tracing, source.opentelemetry, source.encryption, source.sign_on),
            *requirements.of_project(source.folder, source.extras),
        ]
    )
    constraints = source.folder / lock.NAME
    limits = constraints.read_text(encoding="utf-8") if constraints.is_file() else ""
    generated = ["--generate-hashes"] if hashes and not lock.hashes_of(limits) else []
    kept = cache / f"resolved-{_short(asked, limits, target.python, *generated)}.txt"
    if not kept.is_file():
        command = ["pip", "compile", "-", "--universal", "--python-version", target.python]
        quiet = ["--no-header", "--no-annotate", "--quiet", "--no-emit-package", "stepfast"]
        limited = ["--constraints", str(constraints.resolve())] if limits else []
        text = lock.uv([*command, *quiet, *limited, *generated], source.folder, asked)
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=cache, delete=False, encoding="utf-8") as new:
            new.write(text)
        Path(new.name).replace(kept)
    pinned = kept.read_text(encoding="utf-8")
    return lock.with_hashes(pinned, limits) if lock.hashes_of(limits) else pinned


def installed(pinned: str, target: Target, cache: Path) -> Path:
    """The folder of these packages for a target, from `cache` or installed into it."""
    folder = cache / f"packages-{_short(pinned, target.platform, target.python)}"
    if not folder.is_dir():
        _install(pinned, target, folder)
    return folder


def _install(pinned: str, target: Target, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        new = Path(work) / "packages"
        place = ["--target", str(new), "--link-mode", "copy", "--no-compile-bytecode"]
        kind = ["--python-platform", target.platform, "--python-version", target.python, "--only-binary", ":all:"]
        hashed = ["--require-hashes"] if "--hash=" in pinned else []
        lock.uv(["pip", "install", "--quiet", "--no-deps", *hashed, *place, *kind, "-r", "-"], folder.parent, pinned)
        _prune(new)
        bytecode.add(new, target.python)
        _move(new, folder)


def _prune(folder: Path) -> None:
    """Removes scripts, tests, compiled files and the installer's records."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    (folder / ".lock").unlink(missing_ok=True)
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and path.name in ("tests", "__pycache__"):
            shutil.rmtree(path)
        elif path.parent.suffix == ".dist-info" and path.name in _LEFT_BY_INSTALLERS:
            path.unlink()


def _add_stepfast(folder: Path) -> None:
    """Copies the running stepfast, so that the stack and its functions always have the same version."""
    source = Path(__file__).parents[1]
    shutil.copytree(source, folder / "stepfast", ignore=_runtime_only(source), dirs_exist_ok=True)
    info = folder / f"stepfast-{version('stepfast')}.dist-info"
    info.mkdir()
    text = distribution("stepfast").read_text("METADATA") or ""
    # The code reads name and version only. The description would change the digest with every word of the README.
    head = [
        line for line in text.partition("\n\n")[0].splitlines() if line.startswith(("Metadata-V", "Name", "Version"))
    ]
    (info / "METADATA").write_text("\n".join(head) + "\n", encoding="utf-8")


def _runtime_only(source: Path) -> Callable[[str, list[str]], set[str]]:
    left_out = {path for pattern in NOT_IN_LAMBDA for path in source.glob(pattern)}

    def ignored(folder: str, names: list[str]) -> set[str]:
        return {*_NOT_COPIED(folder, names), *(name for name in names if Path(folder, name) in left_out)}

    return ignored


def _add_workflows(source: Source, folder: Path) -> None:
    for name in (source.workflows, *source.include):
        path, copy = source.folder / name, folder / name
        if path.is_dir():
            shutil.copytree(path, copy, ignore=_NOT_COPIED, dirs_exist_ok=True)
        else:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def normalise(folder: Path) -> None:
    """Sets the same modes everywhere: Lambda's user must be able to read, whatever this machine's umask is."""
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.suffix == ".so" else 0o644)


def weigh(folder: Path, limit: int, advice: str) -> None:
    """Raises StartupError for a folder of more than `limit` bytes, which Lambda would refuse only after the upload."""
    sizes = Counter[str]()
    for path in _files(folder):
        sizes[path.relative_to(folder).parts[0]] += path.stat().st_size
    if sizes.total() > limit:
        largest = ", ".join(f"{name} {size / MB:.0f}" for name, size in sizes.most_common(5))
        raise StartupError(
            f"the bundle has {sizes.total() / MB:.0f} MB, of which Lambda takes {limit / MB:.0f}: "
            f"{advice}; the largest parts are {largest}"
        )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _move(source: Path, final: Path) -> None:
    """Renames the folder. If a concurrent build was faster, its result is the same and stays."""
    try:
        source.rename(final)
    except OSError:
        if not final.is_dir():
            raise


def _short(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
