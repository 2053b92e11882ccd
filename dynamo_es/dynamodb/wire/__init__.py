"""The connection to DynamoDB: requests, replies, retries, errors, sizes."""
