"""From a configuration to a trained run: the command line, the checkpoints, what a training starts from."""
