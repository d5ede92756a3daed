"""The page of a fleet: live from an engine's truth, or replayed from a simulation; it changes nothing."""
