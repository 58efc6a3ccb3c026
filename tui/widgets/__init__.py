"""Widgets that know nothing of a particular screen."""
