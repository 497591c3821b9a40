"""How long things take: ``vjepa bench NAME``."""
