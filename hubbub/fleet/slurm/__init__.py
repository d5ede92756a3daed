"""Slurm as the engine: its configuration, a small real one on this machine, its truth read, its jobs led."""
