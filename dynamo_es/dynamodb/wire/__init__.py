"""The way to DynamoDB: requests, replies, retries, errors, sizes."""
