"""The face, the networks and their training."""
