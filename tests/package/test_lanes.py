"""What `make check` leaves out is there, and is left out."""

from __future__ import annotations

import pytest

from tests.lanes import LONG, ROOT, is_long


@pytest.mark.parametrize("name", LONG)
def test_each_long_folder_or_file_is_still_there(name: str) -> None:
    assert (ROOT / name).exists()
    assert is_long(ROOT / name)


@pytest.mark.parametrize("name", ["tests/clouds/test_x.py", "tests/http/test_auth.py", "tests", "src/stepfast"])
def test_other_files_are_not_long(name: str) -> None:
    assert not is_long(ROOT / name)
