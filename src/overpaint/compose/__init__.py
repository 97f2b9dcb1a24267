"""The parts put together: the only package that names concrete classes, and that nobody below the borders names.

`engine` opens an engine, `server` all of a server: what it listens on (`listening`) and what its service has from
outside (`outside`). `imports` is how the large libraries come in.
"""
