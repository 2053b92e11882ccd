"""The contract of boundaries: conditional appends, and saved states of decision models."""
