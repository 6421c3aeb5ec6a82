"""Scores as pure functions of arrays and strings; nothing here knows a corpus, a model or a file."""
