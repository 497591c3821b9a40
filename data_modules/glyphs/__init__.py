"""Moving glyphs: a small benchmark of appearance, motion and time order, written as real video files."""
