"""Boot a small Debian under QEMU and look at our camera there, through v4l2loopback: not a test of every day.

    sudo apt install qemu-system-x86 mmdebstrap squashfs-tools-ng
    python -m tests.qemu.camera_in_a_machine --json camera.json

The first time it fetches Debian packages and wheels (some minutes, 700 MB in the user's cache); afterwards nothing
comes over the network. OpenCV and ffmpeg read the camera in there: its size, format and rate, the number painted into
every picture, its colours; readers that come first, leave and come back; a second sender; a camera that is missing.
Most is sent by `tests.qemu.sender`, a test card instead of a puppet; once it is `serve.py camera` with the bundled one.

Without KVM the processor is emulated, at an instruction per nanosecond of the machine's own time: what is lost there is
lost by us and not by a slow machine, but no delay means anything. That takes a quarter of an hour, and the default 10
small pictures a second; with KVM try --size 1280x720 --fps 25.
"""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.qemu import machine

LIMIT_S = 3600


def table(result: dict) -> Table:
    """What was tried, and what was seen."""
    about = ", ".join(f"{what} {result[what]}" for what in ("accelerator", "linux", "v4l2loopback", "opencv", "ffmpeg"))
    shown = Table("", "tried", "seen", title=about, show_lines=True)
    for case in result["cases"]:
        shown.add_row("✓" if case["passed"] else "✗", case["name"], case["seen"])
    return shown


def tried(size: str, fps: int) -> dict:
    """Try everything in the machine: with KVM, if it works here.

    Raises:
        MachineError: see `machine`.
    """
    folder = machine.made()
    result = folder / "home" / "result.json"
    result.unlink(missing_ok=True)
    command = f"exec python3 -m tests.qemu.in_the_machine /mnt/home/{result.name} {size} {fps}"
    accelerators = list(machine.ACCELERATORS) if Path("/dev/kvm").exists() else ["tcg"]
    for accelerator in accelerators:
        try:
            machine.run(folder, command, accelerator, LIMIT_S)
        except machine.MachineError as error:
            print(f"{accelerator}: {error}", file=sys.stderr)
        if result.exists():
            return {"accelerator": accelerator, "size": size, "fps": fps, **json.loads(result.read_text())}
    raise machine.MachineError("Nothing was tried to the end; see above.")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="640x360", help="of the picture, WIDTHxHEIGHT")
    parser.add_argument("--fps", type=int, default=10, help="pictures a second")
    parser.add_argument("--json", type=Path, help="write what was seen here")
    options = parser.parse_args()
    try:
        result = tried(options.size, options.fps)
    except machine.MachineError as error:
        print(error, file=sys.stderr)
        return 2
    Console().print(table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if all(case["passed"] for case in result["cases"]) else 1


if __name__ == "__main__":
    sys.exit(main())
