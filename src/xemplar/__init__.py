"""Xemplar: draft, search and check chest-radiograph reports by precedent."""
