"""An application of python-event-sourcery. Only `settings` says what it runs on."""
