"""Commands for the tables: create them, and complete restored ones."""
