"""Builds the zip of a Lambda function. The same input gives the same bytes."""
