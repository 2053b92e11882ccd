"""How the requests of an asynchronous backend reach DynamoDB: aiohttp, or boto3 in threads."""
