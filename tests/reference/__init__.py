"""What our own code is compared with: random checkpoints, a stand-in processor and diffusers' pipeline around them.

Knows nothing of `overpaint.model` and `overpaint.engine`, so a mistake there cannot leak into the comparison.
"""
