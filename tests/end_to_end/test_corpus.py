"""Real logs arrive record for record, and only once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.corpus_run import CORPUS, ship_corpus


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus of real logs at {CORPUS}")
def test_every_record_of_the_corpus_is_at_the_endpoint_once(tmp_path: Path) -> None:
    """The number that the truth has, totals that balance, and a second run that ships nothing."""
    run = ship_corpus(tmp_path)

    assert [row for row in run.rows if row.arrived != row.wanted] == []
    assert len(run.rows) >= 38
    assert run.first["balanced"] is True
    assert (run.second["read"], run.second["acked"], run.second["bytes_read"]) == (0, 0, 0)
