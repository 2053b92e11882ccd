"""Encrypts fields of events. After a person's key is deleted, nobody can read that person's."""
