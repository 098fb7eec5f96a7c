"""Ctrl-C for commands that tests start."""

import signal


def heed_ctrl_c() -> None:
    """Run in the child before the command: shells let what they start in the background ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
