"""What the choices in the configuration save, and the memory of a long read."""

from __future__ import annotations

import json
import sys

import pytest

from benchmarks import choices, long_reads
from benchmarks.long_reads import Read
from benchmarks.ours import Ours
from benchmarks.programs import long_reader
from benchmarks.sample import Sample

# It tests the benchmarks.
pytestmark = pytest.mark.ci


def test_always_compressing_saves_bytes_and_no_write_units(emulator) -> None:
    found = choices.measure(emulator, 6)

    for size in (3, 10):
        units, always = (found.sizes[compression, size] for compression in ("units", "always"))
        assert always[0] < units[0]
        assert always[1] == units[1]
    # The emulator bills every request as one unit.
    assert found.dollars[True] == found.dollars[False] > 0
    text = choices.section(found).markdown("")
    assert "| eventually consistent |" in text
    assert '| "always" | up to 3 |' in text


def test_the_memory_of_a_read_event_by_event_has_a_goal() -> None:
    found = {("iterate", 100): Read(100, 5 * 1024, 0.5, 0.4), ("load", 100): Read(100, 99, 1, 1)}

    section = long_reads.section(found)

    (goal,) = section.goals
    assert (goal.figure, goal.met) == (5.0, True)
    assert "| `iter_events` | 100 | 5.0 | 200 | 4,000 |" in section.markdown("")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc")
@pytest.mark.parametrize("way", long_reads.WAYS)
def test_the_program_reads_the_whole_stream(emulator, monkeypatch, capsys, way) -> None:
    store = Ours(emulator.config, emulator.connect())
    store.append(way, 0, Sample().take(30))
    monkeypatch.setattr(long_reader, "DynamoBackend", lambda _: store)
    monkeypatch.setattr(sys, "argv", ["", json.dumps(TABLES), way, way])

    long_reader.main()

    found = Read(**json.loads(capsys.readouterr().out))
    assert found.events == 30
    assert found.kilobytes >= 0


TABLES = {"events_table": "e", "log_table": "l", "keys_table": "k"}
