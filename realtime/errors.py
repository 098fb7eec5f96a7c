"""What can go wrong in the live loop.

    MarotteError
    ├── InputError              the user can fix it; the commands exit with 2
    │   └── DeviceError         a microphone or another device is absent, busy or refuses
    └── SinkLost                a place for pictures is gone; the stream goes on with the others

Every message is one clear sentence: what came, what was expected, what to do.
"""


class MarotteError(Exception):
    """Root of what this room raises on purpose."""


class InputError(MarotteError):
    """Something that the user can mend."""


class DeviceError(InputError):
    """A device that cannot be used as asked."""


class SinkLost(MarotteError):
    """A sink that cannot take pictures any more: its disk is full, its viewer has left."""
