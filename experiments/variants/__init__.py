"""The variants that ship, with what the study published for them: ``vjepa variants``."""
