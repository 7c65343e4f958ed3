"""The presets against real logs, where the corpus stands beside the checkout."""

from __future__ import annotations

import pytest

from tests.benchmarks.preset_accuracy import CORPUS, MEANT, score

AIM = 0.995
# Files of three years stand in this one; its lines name none, so only those of the last can be right.
WITHOUT_YEAR = {"haproxy-syslog": 9 / 27}


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus of real logs at {CORPUS}")
@pytest.mark.parametrize("name", MEANT)
def test_a_real_log_is_read_by_the_preset_that_is_meant_for_it(name: str) -> None:
    result = score(CORPUS, name)

    assert result.found == result.records
    assert result.boundaries >= AIM * result.records, result.misses[:5]
    assert result.stamps >= WITHOUT_YEAR.get(name, AIM) * result.records, result.misses[:5]
    assert result.levels >= AIM * result.records, result.misses[:5]
