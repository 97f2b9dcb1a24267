"""Replicate's HTTP API: predictions, files, models and versions, streams and webhooks."""
