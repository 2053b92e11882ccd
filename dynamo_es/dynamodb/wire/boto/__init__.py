"""Quicker replacements for layers of a boto3 client: bodies, signatures, sending, replies."""
