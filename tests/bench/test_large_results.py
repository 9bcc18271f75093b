"""Results of 300 KB in a gather, on the real functions: each is fetched from the bucket once, when the code gets it."""

from __future__ import annotations

from collections import Counter

from bench.aws_cases import AT_ONCE
from bench.aws_cloud import cloud_of
from bench.aws_flows import flows

COUNT = 6


def test_each_large_result_is_fetched_once() -> None:
    with cloud_of([flows.large_results], [flows.large], rules=AT_ONCE) as watched:
        played = watched.run(flows.large_results, COUNT)
        run = watched.cloud.runs[-1]
        assert run.result == COUNT * 300_006
    calls = Counter(made.call.operation for made in played.made)
    assert calls["PutObject"] == COUNT
    assert COUNT <= calls["GetObject"] <= 2 * COUNT  # 15 times as many before values were read when they are looked at
    fetched = Counter(
        (made.sandbox, made.call.params["Key"]) for made in played.made if made.call.operation == "GetObject"
    )
    assert set(fetched.values()) == {1}
