"""PartiQL statements: built, read, and carried out where moto answers."""
