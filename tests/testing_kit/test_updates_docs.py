"""The examples of queries and updates in docs/workflows.md and docs/endless.md, as they are printed, in both kits."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from stepfast import UpdateRefused
from stepfast.client import StartIf
from stepfast.testing import Environment, MotoCloud

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = {
    name: text
    for page in ("workflows.md", "endless.md")
    for name, text in re.findall(r"```python\n# (cart|purse)\.py\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
}
KITS: list[Any] = [Environment, MotoCloud]


def loaded(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path, module_name = folder / f"{name}.py", f"updates_{name}"
    path.write_text(BLOCKS[name])
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, module_name, module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kit", KITS)
def test_the_cart_is_filled_and_paid(kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = loaded("cart", tmp_path, monkeypatch)
    with kit(code.cart) as env:
        run = env.start(code.cart, 2, "cart-7")
        assert env.update(run, "add", code.Item(name="tea", price=4), update_id="tea-1") == 1
        assert env.query(run, "total", type=int) == 4
        assert env.update(run, "add", {"name": "cup", "price": 3}) == 2
        with pytest.raises(UpdateRefused, match="the cart is full with 2"):
            env.update(run, "add", {"name": "pot", "price": 9})
        env.update(run, "pay")
        assert env.run_until(run).result == 7


@pytest.mark.parametrize("kit", KITS)
def test_the_purse_goes_on_over_its_runs(kit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = loaded("purse", tmp_path, monkeypatch)
    with kit(code.purse) as env:
        start = StartIf(code.purse, 10)
        for number, balance in enumerate((15, 20, 25, 30, 35), 1):
            assert env.update("mine", "change", 5, update_id=f"u{number}", start=start) == balance
        with pytest.raises(UpdateRefused, match="there are only 35"):
            env.update("mine", "change", -36)
        assert env.query("mine", "money") == 35
        assert env.update("mine", "change", 5, update_id="u1") == 15, "the answer of an earlier run"


def test_a_crash_at_any_point_changes_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = loaded("cart", tmp_path, monkeypatch)

    def played(crash: int | None) -> int:
        with Environment(code.cart) as env:
            if crash is not None:
                env.crash(at=crash)
            run = env.start(code.cart, 2)
            first = env.send_update(run, "add", {"name": "tea", "price": 4})
            second = env.send_update(run, "add", {"name": "cup", "price": 3})
            assert [env.update_answer(run, first), env.update_answer(run, second)] == [2, 2]
            env.update(run, "pay")
            assert env.run_until(run).result == 7
            assert [env.update_answer(run, first), env.update_answer(run, second)] == [2, 2]
            assert len(run.calls(code.reserve)) <= 2 + (crash is not None)
            return len(env.points)

    for crash in range(played(None)):
        played(crash)
