"""Importing a history: read lines, cut them into commits, append them. Prints nothing."""

from dynamo_es.cli.importing.chunks import Chunk, Cutter
from dynamo_es.cli.importing.counts import Meter, Summary
from dynamo_es.cli.importing.importer import Importer, Settings
from dynamo_es.cli.importing.lines import Defaults, Line, MalformedLineError, StreamOf, parse_line
from dynamo_es.cli.importing.source import Source, SourceError, open_source
from dynamo_es.cli.importing.writer import Problem

__all__ = [
    "Chunk",
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
