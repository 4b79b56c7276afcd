"""Score Forgetting Distillation as a library: a conditional diffusion model in, a one-step generator out."""
