"""What passes between conditioning and renderer; apart, so that neither needs what the other imports."""

SIZE = 256
"""Side of the crop in px."""
CHANNELS = 6
"""Of the face picture: position on the neutral face (3), surface normal to the right and up (2), inner mouth (1)."""
BLANK = 128
"""What the photo shows inside the hole."""
