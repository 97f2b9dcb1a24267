"""The HTTP border: one FastAPI application over a `Service`, the native routes, and a folder for each vendor's dialect.

Knows no database, no device and no file system. See `api.app` for how a request finds its way.
"""
