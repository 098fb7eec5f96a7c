"""Offline: from a video to the weights of a puppet."""
