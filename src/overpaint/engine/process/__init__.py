"""An engine in a process of its own, and somebody who starts it again when it dies.

Knows no torch, no storage and no HTTP; what paints in the child arrives as a function.
"""
