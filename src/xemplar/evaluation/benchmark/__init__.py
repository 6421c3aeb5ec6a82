"""Every recipe trained, asked and scored on one corpus, and one table of all of them."""
