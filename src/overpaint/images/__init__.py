"""Pictures at the border: bytes to `core.Picture` with limits, and back to files with metadata.

Knows no model. `fetch*` is the only place that opens a connection for a picture, and it guards where to.
"""
