"""Progressive search over cells, ranked by a surrogate (PNAS, arXiv 1712.00559)."""
