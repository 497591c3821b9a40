"""What a benchmark was published with: class lists, splits and labels, and the paths that they may name."""
