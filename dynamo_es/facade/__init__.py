"""What all backends offer: streams, typed events, and the log's consumers."""
