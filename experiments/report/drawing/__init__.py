"""The pictures of a report: pure functions from findings to figures."""
