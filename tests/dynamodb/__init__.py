"""Tests of the DynamoDB backend alone: tables, the emulator, requests."""
