"""The command that computes what a store costs."""
