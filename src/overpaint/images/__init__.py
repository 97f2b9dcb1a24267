"""Pictures at the border: bytes to `core.Picture` with limits, and back to files with metadata.

Knows no model and no network.
"""
