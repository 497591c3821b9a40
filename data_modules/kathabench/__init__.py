"""KathaBench: eight kinds of motion, from a straight line to two bodies, under changing backgrounds and shapes."""
