"""The tag index of a boundary: the versions of the events with each tag, up to a checkpoint."""
