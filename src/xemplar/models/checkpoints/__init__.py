"""Other people's checkpoints, kept as model folders of ours; and ours written for others."""
