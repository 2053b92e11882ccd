"""Commands for consumers of the log: projections, checkpoints, outboxes, parked streams."""
