"""What families of text-to-image models share: a family of them is what its pipeline has beside this."""
