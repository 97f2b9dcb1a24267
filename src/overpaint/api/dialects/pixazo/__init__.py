"""Pixazo's gateway: ``/{api}/v1/{operation}``, answered at once or polled. Its words live in this folder only."""
