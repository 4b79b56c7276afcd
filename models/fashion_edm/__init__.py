"""The bundled EDM base model, and the scripts that made it."""
