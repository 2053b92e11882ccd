"""The parts of asynchronous classes that are written by hand, in the modules of their names."""
