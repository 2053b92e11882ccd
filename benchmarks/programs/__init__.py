"""Programs that are measured from their first line on, each in a fresh process."""
