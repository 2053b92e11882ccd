"""What commands print on a terminal, and how they show progress and end at a signal."""
