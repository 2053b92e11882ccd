"""A real history, imported and read as typed events and aggregates."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from dynamo_es import Repository
from dynamo_es.cli.history.importing import Importer, Settings, open_source
from dynamo_es.cli.history.importing.lines import Defaults, parse_line
from tests.aggregates.files import File, FileAdded, FileDeleted, FileModified, FileRenamed
from tests.cli.history.histories import SAMPLE

TYPES = {kind.__name__: kind for kind in (FileAdded, FileModified, FileRenamed, FileDeleted)}


@pytest.fixture(scope="module")
def history():
    with open_source(Path(str(SAMPLE))) as source:
        return list(source)


def test_every_file_has_the_lines_that_were_added_and_not_deleted(engine, backend, history):
    streams, texts = defaultdict(list), defaultdict(list)
    for number, text in enumerate(history, 1):
        line = parse_line(text, number, Defaults())
        streams[line.stream].append(line)
        texts[line.stream].append(text)
    if engine.name == "moto":  # a query goes through all items of the table there
        for stream in [stream for number, stream in enumerate(streams) if number % 8]:
            del streams[stream]
    chosen = [text for stream in streams for text in texts[stream]]
    Importer(backend.storage, Settings(events_per_commit=10)).run(chosen)

    for stream, lines in streams.items():
        store = backend.in_tenant(stream.tenant_id).event_store
        stream_id = stream.id
        typed = store.load_stream(stream_id)
        repository = Repository(store, File, every=1)
        file = repository.load(stream.id)

        assert [one.event for one in typed] == [
            TYPES[line.name].model_validate(line.data) for line in lines
        ]
        balance = sum(
            (line.data["lines_added"] or 0) - (line.data["lines_deleted"] or 0) for line in lines
        )
        assert file.lines == balance
        assert file.stored_version == len(lines)
        assert file.exists is (lines[-1].name != "FileDeleted")

        with repository.aggregate(stream.id) as file:
            file.modify("0" * 40, added=3, deleted=1)
        assert repository.load(stream.id).lines == balance + 2
        assert len(store.load_stream(stream_id)) == 1, "the snapshot alone"
