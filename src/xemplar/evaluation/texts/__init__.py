"""Texts against texts: any system's drafts or captions held against the reports really written.

Knows tables of predictions and references, metrics and floors; knows nothing of images, archives or models.
"""
