"""How far consumers are, in the log table: checkpoints, cursors of read models, outboxes."""
