"""The options that the comparisons share, each with one meaning everywhere."""

import argparse


def checkpoint_options(what: str | None) -> argparse.ArgumentParser:
    """A parser that knows which checkpoint to take, in which type, and whether the figures are kept.

    Args:
        what: the comparison, in words; the first thing that `--help` says.
    """
    parser = argparse.ArgumentParser(description=what, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="checkpoint; the bundled one by default")
    parser.add_argument("--dtype", default="auto", help="what to compute in: auto, bfloat16, float32")
    parser.add_argument("--save", action="store_true", help="keep the figures under benchmarks/results")
    return parser
