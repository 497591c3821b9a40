"""Frames of video and image files, exact and with as little decoding as they need."""
