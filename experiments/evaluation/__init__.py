"""Frozen evaluation: encoders under test, their parts, probes, corrupted clips, and the rows that come of them."""
