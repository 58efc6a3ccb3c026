"""The daemon: one process that owns a run. Workers do the evaluating; nothing here imports torch."""
