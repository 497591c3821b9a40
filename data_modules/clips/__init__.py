"""Clips: which frames and which view of a video, as data sets and the loaders that batch them."""
