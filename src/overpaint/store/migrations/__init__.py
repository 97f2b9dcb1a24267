"""How the tables came about, and their upkeep at start."""
