"""What ships inside the package: the small checkpoint and the sample pictures. Data only; no code."""
