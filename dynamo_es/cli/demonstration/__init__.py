"""The steps of ``dynamo-es demo``: each returns what it saw, as JSON and as a table."""
