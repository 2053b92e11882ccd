"""Commands for boundaries: read one, and write its tag index."""
