"""The 7B sizes with random weights on a GPU: one picture, batches, warm prefixes, fewer bits, small cards.

`__main__` says how to run it and what comes out.
"""
