"""The event store on DynamoDB: keys, items, requests, and the algorithms that send them."""
