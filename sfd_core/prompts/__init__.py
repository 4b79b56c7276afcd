"""What is asked of a text-to-image model, in words. Plain: nothing here imports torch."""
