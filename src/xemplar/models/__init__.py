"""Encoders and their checkpoints. One of the two rooms that know torch."""
