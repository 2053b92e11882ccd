"""Sends the requests of an asynchronous backend: by aiohttp, or by boto3 in threads.

- `sender`: chooses the client at the first request.
- `clients`: the client over aiohttp, and the client that calls boto3 in threads.
- `aiohttp_connections`: the connections, which need aiohttp.
- `credentials`: endpoint and credentials from boto3, for requests that aiohttp sends.
"""
