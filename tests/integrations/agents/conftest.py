"""No test of agents calls a real model, and nothing is traced anywhere."""

import pytest
from pydantic_ai import models


@pytest.fixture(autouse=True)
def only_test_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "ALLOW_MODEL_REQUESTS", False)
    monkeypatch.setenv("OPENAI_AGENTS_DISABLE_TRACING", "1")
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
