"""The `overpaint` command: one file for each subcommand, the rest is what they share."""
