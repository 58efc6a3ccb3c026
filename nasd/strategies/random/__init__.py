"""Random search: the baseline that a search has to beat."""
