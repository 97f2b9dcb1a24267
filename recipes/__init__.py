"""Recipes: how the checkpoints that ship with Overpaint were made. Knows nothing of the server."""
