"""The order of samples, and mixtures of data sets."""
