"""The command line, and the importer."""
