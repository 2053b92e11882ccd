"""What is DynamoDB's own: tables, the emulator, requests."""
