"""Encrypts fields of events; deleting a person's key makes that person's fields unreadable."""
