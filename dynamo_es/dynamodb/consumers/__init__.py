"""The state of consumers in the log table: checkpoints, cursors, parked streams, outboxes."""
