"""The version of Overpaint, in the one place that the build, the metadata of pictures and `--version` read."""

__version__ = "0.1.0"
