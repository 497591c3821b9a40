"""Ablations: variants x readings x paired seeds, each a cell that is trained and evaluated by its own process."""
