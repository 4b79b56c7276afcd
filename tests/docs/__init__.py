"""What the documents say is held against what there is: every command that they print is run."""
