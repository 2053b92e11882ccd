"""What goes over the wire: requests, replies, retries, errors, sizes."""
