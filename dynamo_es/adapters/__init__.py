"""Other libraries' backends, on this store: each a package of its own, with an extra of its own."""
