"""The log of `stepfast dev` on standard error: text or JSON, one event a line, libraries from WARNING up."""

from __future__ import annotations

import json
import logging
import sysconfig
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from stepfast.functions.logs import name_execution
from stepfast.http.log_text import Lines

LogFormat = Literal["text", "json"]

FIELDS = ("execution_id", "workflow", "step_id", "attempt")
"""Attributes of a record that say which execution, workflow, step and attempt it is about, where known."""
_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LIBRARIES = tuple(f"{Path(sysconfig.get_path(name))}/" for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def configure(style: LogFormat, *, threads: bool = False) -> None:
    """Sends all logs to standard error. threads: text lines name their thread, which names a function's sandbox."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLogLines() if style == "json" else TextLines(threads))
    handler.addFilter(quiet_libraries)
    handler.addFilter(name_execution)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # At INFO botocore logs where it has found credentials, for every client.
    logging.getLogger("botocore").setLevel(logging.WARNING)


def quiet_libraries(record: logging.LogRecord) -> bool:
    """A filter for handlers: False for records of installed libraries below WARNING, unless their level was set."""
    if record.levelno >= logging.WARNING or record.name.partition(".")[0] == "stepfast":
        return True
    if not record.pathname.startswith(_LIBRARIES):
        return True
    logger: logging.Logger | None = logging.getLogger(record.name)
    while logger is not None and logger is not logging.root:
        if logger.level != logging.NOTSET:
            return True
        logger = logger.parent
    return False


class TextLines(Lines):
    """`time LEVEL [execution step #attempt] logger: message`. The text of stepfast.events names these itself."""

    def __init__(self, threads: bool = False) -> None:
        super().__init__(
            f"%(asctime)s %(levelname)s {'%(threadName)s ' if threads else ''}%(about)s%(name)s: %(message)s"
        )

    def format(self, record: logging.LogRecord) -> str:
        attempt = getattr(record, "attempt", None)
        parts = [getattr(record, "execution_id", None), getattr(record, "step_id", None), attempt and f"#{attempt}"]
        known = " ".join(str(part) for part in parts if part)
        record.about = f"[{known}] " if known and record.name != "stepfast.events" else ""
        return super().format(record)


class JsonLogLines(logging.Formatter):
    """One JSON object a line, ASCII only: time, level, logger, message, FIELDS, and the `extra` of the call."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in (*FIELDS, *vars(record)):
            if name not in _ORDINARY and hasattr(record, name):
                line.setdefault(name, getattr(record, name))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        elif record.exc_text:  # of a record from the process of a pool
            line["exception"] = record.exc_text
        return json.dumps(line, default=str)
