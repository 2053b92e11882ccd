"""Dynamic consistency boundaries: rules over events that several things have in common."""
