"""Losses, sampling, one loop, and the recipes. With `models`, the only room that knows torch."""
