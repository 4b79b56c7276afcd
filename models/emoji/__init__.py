"""The text-to-image model trained on emoji: its files, and the scripts that made them."""
