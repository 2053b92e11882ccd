"""Records histories of concurrent processes on one store, and checks that they are linearizable."""
