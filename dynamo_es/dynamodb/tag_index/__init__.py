"""The index of a boundary's tags: which versions have a tag, up to a checkpoint."""
