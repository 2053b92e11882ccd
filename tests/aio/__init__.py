"""Tests of the asynchronous interface."""
