"""The recipe of `overpaint-mini`: world, tasks, training, evaluation and export of the bundled checkpoint.

Knows nothing of the engine or the server: it meets them only through the files that `export` writes.
"""
