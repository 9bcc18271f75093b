"""The models keep their invariants, and each notices when one of its rules is broken."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.protocol import child_model, limit_model, model, wide_model

SEEDS = {model: 25, wide_model: 15, child_model: 20, limit_model: 60}
"""Runs a workflow, for a few seconds in all; by hand, run a model with a thousand (see its docstring)."""
MUTANT_SEEDS = {model: 40, wide_model: 40, child_model: 40, limit_model: 60}
"""Runs a workflow that are enough for each mutant to be noticed."""


@pytest.mark.parametrize("of", SEEDS, ids=lambda of: of.__name__.rpartition(".")[2])
def test_the_model_keeps_its_invariants(of: ModuleType) -> None:
    assert of.main(SEEDS[of]) == 0, f"repeat it with: python3 -m {of.__name__} {SEEDS[of]}"


@pytest.mark.parametrize(
    ("of", "mutant"),
    [
        pytest.param(of, mutant, id=f"{of.__name__.rpartition('.')[2]}-{mutant}")
        for of in SEEDS
        for mutant in of.MUTANTS
    ],
)
def test_a_broken_rule_is_noticed(of: ModuleType, mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of, "MUTANT", mutant)
    assert of.main(MUTANT_SEEDS[of]) > 0, f"repeat it with: python3 -m {of.__name__} {MUTANT_SEEDS[of]} {mutant}"
