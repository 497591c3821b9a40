"""The sections of a report: pure functions from findings to blocks."""
