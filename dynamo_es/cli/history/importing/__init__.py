"""Importing a history: read lines, cut them into commits, append them. Prints nothing."""

from dynamo_es.cli.history.importing.chunks import Chunk, Cutter
from dynamo_es.cli.history.importing.importer import Importer, Settings
from dynamo_es.cli.history.importing.lines import Defaults, Line, LineError, StreamOf, parse_line
from dynamo_es.cli.history.importing.source import Source, SourceError, open_source
from dynamo_es.cli.history.importing.summary import Summary
from dynamo_es.cli.meter import Meter

__all__ = [
    "Chunk",
    "Cutter",
    "Defaults",
    "Importer",
    "Line",
    "LineError",
    "Meter",
    "Settings",
    "Source",
    "SourceError",
    "StreamOf",
    "Summary",
    "open_source",
    "parse_line",
]
