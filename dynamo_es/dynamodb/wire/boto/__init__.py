"""Faster replacements for parts of a boto3 client: serializing, signing, sending, and parsing."""
