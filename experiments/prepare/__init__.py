"""Data before training: generated sets are written, others checked or encoded anew: ``vjepa prepare``."""
