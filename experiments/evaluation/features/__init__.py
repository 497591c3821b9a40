"""Clean features of a split through an encoder: cached, streamed, or computed again at each pass."""
