"""How the requests of an asynchronous backend reach DynamoDB: aiohttp, or boto3 in threads.

- `sender`: chooses the client, at the first request.
- `clients`: the one over aiohttp, and the one of boto3 in threads.
- `aiohttp_connections`: the connections, which need aiohttp.
- `credentials`: what boto3 found, for requests that aiohttp sends.
"""
