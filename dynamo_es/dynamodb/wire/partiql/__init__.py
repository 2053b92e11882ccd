"""Builds and parses PartiQL statements, and executes them in place of moto."""
