"""A queue of DBOS with a limiter, on its SQLite database: `python -m bench.peers.dbos_limit FOLDER EXECUTIONS RATE`.

Prints one line of JSON: when each execution began, in seconds, and when the last had ended.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

dbos: Any = importlib.import_module("dbos")
DBOS: Any = dbos.DBOS
began: list[float] = []


def _note(number: int) -> int:
    began.append(time.time())
    return number


note: Any = DBOS.step(name="note")(_note)


def _paced(number: int) -> int:
    value: int = note(number)
    return value


paced: Any = DBOS.workflow(name="paced")(_paced)


def main() -> None:
    place, executions, rate = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    config = {"name": "bench", "system_database_url": f"sqlite:///{place / 'dbos.sqlite'}", "log_level": "ERROR"}
    DBOS(config=config | {"run_admin_server": False})
    DBOS.launch()
    try:
        queue = DBOS.register_queue("paced", limiter={"limit": rate, "period": 1.0})
        start = time.time()
        handles = [queue.enqueue(paced, number) for number in range(executions)]
        for handle in handles:
            handle.get_result()
        print(json.dumps({"began": began, "seconds": time.time() - start}))
    finally:
        DBOS.destroy()


if __name__ == "__main__":
    main()
