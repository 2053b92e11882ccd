"""Commands for streams: list them, show one, delete one."""
