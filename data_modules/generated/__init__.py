"""Benchmarks that are drawn: written once as real video files, vouched for by a manifest, repaired when damaged."""
