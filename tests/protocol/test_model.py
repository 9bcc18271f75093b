"""The models keep their invariants, and each notices when one of its rules is broken."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.protocol import child_model, limit_model, model, start_model, wide_model

SEEDS = {model: 25, start_model: 60, wide_model: 15, child_model: 20, limit_model: 60}
"""Runs a workflow, for a few seconds in all; by hand, run a model with a thousand (see its docstring)."""
MUTANT_SEEDS = 60
"""Runs a workflow at most until a mutant is noticed."""
FIRST = {"no-seal": 8, "report-any-generation": 109, "ended-stays-in-line": 348}
"""The seeds that notice what few others do, begun with."""


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
    broken = of.main(MUTANT_SEEDS if mutant not in FIRST else 1, FIRST.get(mutant, 0), enough=1)
    assert broken, f"see whether more seeds notice it: python3 -m {of.__name__} 1000 {mutant}"
