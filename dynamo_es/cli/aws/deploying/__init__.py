"""Deploys the stack of infra/app.yaml: plans, uploads, computes changes, waits. It never asks."""
