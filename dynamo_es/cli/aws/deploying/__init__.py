"""Deploys the stack of infra/app.yaml: plans, uploads, shows the changes, waits. Asks nothing."""
