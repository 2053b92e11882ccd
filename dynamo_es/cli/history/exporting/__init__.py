"""Exports a store: reads its log, and writes each event as a line for an import. Never prints."""

from dynamo_es.cli.history.exporting.exporter import Exporter, Wanted
from dynamo_es.cli.history.exporting.file import open_target
from dynamo_es.cli.history.exporting.written import ExportError, Written

__all__ = ["ExportError", "Exporter", "Wanted", "Written", "open_target"]
