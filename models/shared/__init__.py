"""What the scripts of several models share."""
