"""Values in requests and replies: JSON bodies, binary values, compression."""
