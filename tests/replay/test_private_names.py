"""A Python without one of the private names that the loop needs is refused at import, in one clear line."""

import subprocess
import sys

import pytest

from stepfast.replay.asyncio_internals import NEEDED


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_a_python_without_it_is_refused_with_what_to_do(name: str) -> None:
    program = f"import asyncio, warnings; del {name}; import stepfast.replay.loop"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    last = ran.stderr.strip().splitlines()[-1]
    assert ran.returncode == 1
    assert last.startswith("ImportError: this version of stepfast does not work with Python 3.")
    assert f"which lacks {name}: use Python 3.11, 3.12 or 3.13" in last
