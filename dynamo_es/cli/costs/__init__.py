"""What a store and its operations cost."""
