"""Runs the program: ``python -m _async_interface [--check]``."""

import sys

from _async_interface import main

sys.exit(main())
