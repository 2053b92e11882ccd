"""The tests. `engine` lists what they run on; `bdd` is the language that they are written in."""
