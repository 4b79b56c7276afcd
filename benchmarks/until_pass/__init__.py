"""Jobs that train until they pass, on base models that nothing here was tuned for."""
