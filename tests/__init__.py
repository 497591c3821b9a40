"""Tests, mirroring the packages; a package itself so that test helpers are imported by their full name."""
