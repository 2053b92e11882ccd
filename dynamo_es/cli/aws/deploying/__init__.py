"""Deploys the stack of infra/app.yaml: plans, uploads, computes the changes, waits. Never asks."""
