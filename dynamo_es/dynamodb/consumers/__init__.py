"""What consumers of the log keep: checkpoints, cursors, outboxes."""
