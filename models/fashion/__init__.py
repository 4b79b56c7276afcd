"""The base model trained on Fashion-MNIST: its files, and the scripts that made them."""
