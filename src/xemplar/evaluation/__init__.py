"""A split through an archive: scores, intervals, floors, plots and one page that explains itself."""
