"""Strategies: they propose architectures and observe rewards."""
