"""Many objects forgotten at once: Lethe beside two editing methods, on the same model and by the same judge."""
