"""Imports boto3, pydantic and tenacity, creates a client, and reports on its start."""

import time

began, began_cpu = time.perf_counter(), time.process_time()

import boto3  # noqa: E402
import pydantic  # noqa: E402, F401
import tenacity  # noqa: E402, F401

boto3.session.Session().client("dynamodb", region_name="us-east-1")
seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu

from benchmarks.programs.reporting import report  # noqa: E402

report(seconds, cpu_seconds)
