"""Tests. `engine` says what they run on, `bdd` is the language they are written in."""
