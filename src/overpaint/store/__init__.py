"""Tasks, keys, usage and webhooks in a database."""
