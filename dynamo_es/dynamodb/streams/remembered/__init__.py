"""What a process remembers between calls: heads of streams, events and states of boundaries."""
