"""Programs that are measured from their first line, each in a new process."""
