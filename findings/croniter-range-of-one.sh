#!/usr/bin/env bash
# croniter 6.2.4: a range whose ends are equal means the whole field, not the one value.
#
# `0 9 1 6-6 *` ought to come on 1 June, as in cron(8), where a range is inclusive. croniter takes it for `0 9 1 * *`.
# cronsim 2.8, as Debian's cron, takes it for the one value. Seen on Python 3.11 with the versions below:
#
#   croniter 6-6: 2030-01-01 2030-02-01 2030-03-01
#   cronsim  6-6: 2030-06-01 2031-06-01 2032-06-01
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check croniter==6.2.4 cronsim==2.8
said="$("$folder/venv/bin/python" - <<'PYTHON'
from datetime import datetime

from croniter import croniter
from cronsim import CronSim

start, expression = datetime(2030, 1, 1), "0 9 1 6-6 *"
first = croniter(expression, start, ret_type=datetime)
second = CronSim(expression, start)
print("croniter 6-6:", *(first.get_next().date() for _ in range(3)))
print("cronsim  6-6:", *(next(second).date() for _ in range(3)))
PYTHON
)"
echo "$said"
expected="croniter 6-6: 2030-01-01 2030-02-01 2030-03-01
cronsim  6-6: 2030-06-01 2031-06-01 2032-06-01"
test "$said" = "$expected"
