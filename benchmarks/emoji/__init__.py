"""What the emoji model forgets, measured: one object, one style, three objects at once, an object by a negative prompt,
and the first of them once more in one stage."""
