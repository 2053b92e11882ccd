"""Reading the events table's DynamoDB stream."""
