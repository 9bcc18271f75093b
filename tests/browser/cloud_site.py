"""stepfast on a played AWS, as `stepfast dev --cloud moto` serves it, with a key that may only read, and one only run.

Serves the workflows of the folder named by its argument, and prints the address and these keys in one line.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from stepfast.backends.dynamodb.api_keys import ApiKeys
from stepfast.http.page import DashboardPage
from stepfast.http.server import listen, serve
from stepfast.language.registry import discover
from stepfast.local.cloud.deployment import ServedCloud
from stepfast.local.cloud.front import Front
from stepfast.simulator import resources
from stepfast.simulator.provision import TABLE

HOST = "127.0.0.1"


def main(workflows: Path) -> None:
    with listen(HOST, 0) as listener, ServedCloud(discover(workflows)) as cloud:
        keys = ApiKeys(resources.client("dynamodb"), TABLE)
        keys_text = " ".join(keys.create(scope, {scope}, time.time())[1] for scope in ("read", "run"))
        try:
            serve(
                Front(cloud, None, DashboardPage()), listener, HOST, lambda url: print(f"{url} {keys_text}", flush=True)
            )
        except KeyboardInterrupt:
            pass  # asked to end


if __name__ == "__main__":
    main(Path(sys.argv[1]))
