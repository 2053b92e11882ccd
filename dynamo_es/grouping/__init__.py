"""Groups the appends of this process that wait for the same stream into one request."""
