"""What a boundary's decisions read: the events that match, and saved states."""
