"""Dynamic consistency boundaries: for rules that span several things."""
