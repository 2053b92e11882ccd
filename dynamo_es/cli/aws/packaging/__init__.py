"""Makes the zip of a Lambda function, of which the same input makes the same bytes."""
