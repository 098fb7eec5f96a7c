"""Yardsticks for the trained networks: `python -m models.evaluate voice --help`."""
