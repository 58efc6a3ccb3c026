"""Figures of a search: matplotlib, without its global state. Each function takes plain data and gives a `Figure`."""
