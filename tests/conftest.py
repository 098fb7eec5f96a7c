"""What holds for all tests."""

from hypothesis import settings

# How long an example takes says more about the machine's other work than about the code: benches measure time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
