"""The lean transport: sends the store's requests without a boto3 client."""
