"""An application of python-event-sourcery. What it runs on is chosen in `settings`, only there."""
