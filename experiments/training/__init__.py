"""From a configuration to a trained run: the command line, and what it does in its processes and on the disk."""
