"""Importing a history: lines, chunks, and the threads that append them. Nothing of a terminal."""

from dynamo_es.cli.importing.chunks import Chunk, Cutter
from dynamo_es.cli.importing.counts import Counts, Summary
from dynamo_es.cli.importing.lines import Defaults, Line, MalformedLineError, StreamOf, parse_line
from dynamo_es.cli.importing.meter import Meter
from dynamo_es.cli.importing.runner import Importer, Problem, Settings
from dynamo_es.cli.importing.source import Source, SourceError, open_source

__all__ = [
    "Chunk",
    "Counts",
    "Cutter",
    "Defaults",
    "Importer",
    "Line",
    "MalformedLineError",
    "Meter",
    "Problem",
    "Settings",
    "Source",
    "SourceError",
    "StreamOf",
    "Summary",
    "open_source",
    "parse_line",
]
