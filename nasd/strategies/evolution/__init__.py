"""Regularised evolution."""
