"""Dynamic consistency boundaries: rules over several things."""
