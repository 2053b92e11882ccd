"""Groups what waits for one stream in this process, so that one request carries it all."""
