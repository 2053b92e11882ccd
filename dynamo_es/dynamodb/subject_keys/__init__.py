"""The table of encryption keys, one for each data subject."""
