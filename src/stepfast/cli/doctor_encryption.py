"""What `stepfast doctor` says of encryption: the key file and its key store, and the KMS key of the deployment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stepfast.cli.doctor_packages import FAIL, OK, WARN, Finding
from stepfast.errors import Misconfigured, StartupError, StepfastError

if TYPE_CHECKING:
    from stepfast.deployment.project import Project

_DENIED = ("AccessDenied", "AccessDeniedException", "KMSAccessDenied")


def encryption(db: Path) -> Iterator[Finding]:
    """Whether the keys that the settings name can be used. Nothing where none is named."""
    from stepfast.deployment.project import Project  # imported here: other commands do not need it

    try:
        project = Project.read("pyproject.toml")
    except StartupError:
        return  # `doctor` has said so
    yield from _key_file(project, db)
    if project.kms_key is not None:
        yield _kms_key(project.kms_key)


def _key_file(project: Project, db: Path) -> Iterator[Finding]:
    """The key file, whether it can be used, and the key store beside the file. Nothing where neither is asked for."""
    from stepfast.backends.sqlite.data_keys import keys_path
    from stepfast.local.encryption import key_file_of, usable

    path, store = key_file_of(project, Path()), keys_path(db)
    if path is None:
        if store.is_file():
            text = f"{store} has data keys, and no key file is named: what is encrypted cannot be read"
            yield Finding("encryption", WARN, text, "set key_file in [tool.stepfast], or STEPFAST_KEY_FILE")
        return
    try:
        keys = usable(path)
    except StepfastError as error:
        yield Finding("encryption", FAIL, str(error))
        return
    shown = f"{path} has {keys} key{'' if keys == 1 else 's'} and can be used"
    if db.is_file() and not store.is_file():
        text = f"{shown}, and there is no key store {store}: what was encrypted before cannot be read"
        yield Finding("encryption", WARN, text, "bring it back, unless nothing was encrypted yet")
        return
    yield Finding("encryption", OK, shown)


def _kms_key(key: str) -> Finding:
    """Makes a data key by the KMS key and opens it again, with the credentials of this shell."""
    from stepfast.backends.aws.errors import code_of
    from stepfast.functions.clients import Clients
    from stepfast.values.encryption import KeyId

    try:
        from stepfast.backends.aws.kms import KmsMaster
    except ModuleNotFoundError:
        text = f"the KMS key {key!r} was not tried: boto3 is not installed"
        return Finding("kms key", WARN, text, "pip install 'stepfast[aws]'")
    clients, probe = Clients(_region_in(key)), KeyId("stepfast doctor", "0" * 16)
    try:
        master = KmsMaster(lambda: clients.kms, key)
        plain, wrapped = master.make(probe)
        if master.unwrap(probe, wrapped) != plain:
            return Finding("kms key", FAIL, f"the KMS key {key!r} opens another data key than it has made")
    except Misconfigured as error:
        response = getattr(error.__cause__, "response", None)
        if response is not None and code_of(error.__cause__) in _DENIED:
            text = f"the KMS key {key!r} is there, or its policy hides it: these credentials may not use it"
            return Finding("kms key", WARN, text, "the functions' roles may; try it with credentials that may, too")
        return Finding("kms key", FAIL, str(error))
    except StartupError as error:
        return Finding("kms key", WARN, f"the KMS key {key!r} was not tried: {error}")
    except StepfastError as error:
        return Finding("kms key", WARN, str(error))
    return Finding("kms key", OK, f"{key} makes data keys and opens them")


def _region_in(key: str) -> str | None:
    """The region of an ARN; None for the name of an alias, which is of the region of the shell."""
    parts = key.split(":")
    return parts[3] if len(parts) > 4 and parts[0] == "arn" else None
