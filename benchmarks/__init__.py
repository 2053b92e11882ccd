"""What `scripts/bench` runs: one module for each table of ``docs/explanation/benchmarks.md``."""
