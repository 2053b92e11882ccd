"""The contracts of consumers: checkpoints, cursors, outboxes, parked streams, leases."""
