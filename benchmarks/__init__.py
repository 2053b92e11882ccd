"""The benchmarks of `scripts/bench`, a module for each table of the page.

The page is ``docs/explanation/benchmarks.md``.
"""
