"""Groups the appends of this process that wait for one stream, so that one request carries all."""
