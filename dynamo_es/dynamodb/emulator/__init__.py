"""DynamoDB in this process, on moto."""
