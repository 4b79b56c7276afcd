"""The bundled flow-matching base model, and the scripts that made it."""
