"""The run directory: checkpoint database, embedding arrays, CSV in and out."""
