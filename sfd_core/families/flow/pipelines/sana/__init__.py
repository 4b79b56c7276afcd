"""SANA, ``SanaPipeline``."""
