"""The study's synthetic motion set: a disc over noise that drifts in one of eight directions."""
