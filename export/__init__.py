"""From trained weights to an engine that runs them."""
