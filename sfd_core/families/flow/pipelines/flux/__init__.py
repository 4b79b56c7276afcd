"""FLUX.1, ``FluxPipeline``."""
