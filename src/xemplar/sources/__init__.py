"""Sources: one file a source, each a stream of studies and of what could not be one."""
