"""A small Debian under QEMU with v4l2loopback, ffmpeg and the packages that Marotte needs.

It is made once and kept in the user's cache as a kernel, its first disk and a file system that cannot be written to.
The checkout is lent to the machine to be read, and one folder, its home, to be written to. It has no network.
"""

import hashlib
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from models.downloads import cache_folder

CHECKOUT = Path(__file__).parents[2]
RELEASE, PYTHON = "bookworm", "3.11"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    "linux-image-amd64",  # the smaller linux-image-cloud-amd64 has no cameras
    "linux-headers-amd64",
    "v4l2loopback-dkms",
    "kmod",
    "python3",
    "ffmpeg",
    "libportaudio2",
)
NEEDED = {"qemu-system-x86_64": "qemu-system-x86", "mmdebstrap": "mmdebstrap", "tar2sqfs": "squashfs-tools-ng"}
START = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/mnt/home PYTHONPATH=/opt LANG=C.UTF-8
mount -t tmpfs tmpfs /tmp
modprobe 9pnet_virtio
mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,ro checkout /mnt/checkout
mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288 home /mnt/home
cd /mnt/checkout
echo "Linux $(uname -r) is up."
sh /mnt/home/command
sync
echo o > /proc/sysrq-trigger
sleep 60
"""


@dataclass(frozen=True)
class Accelerator:
    """How QEMU runs the machine's processor."""

    options: str
    up_s: float
    """Seconds in which the machine must say something, or it will never."""


ACCELERATORS = {
    "kvm": Accelerator("-accel kvm -cpu host -smp 2", 60),
    # One instruction takes one nanosecond of the machine's time, however long it takes of ours: nothing comes too late
    # there because something else runs here. A machine that waits skips the time.
    "tcg": Accelerator("-accel tcg,thread=single -cpu max -smp 1 -icount shift=0,sleep=off", 300),
}
"""Best first. TCG emulates the processor."""


class MachineError(Exception):
    """The machine cannot be made, or does not run."""


def made() -> Path:
    """The folder with the machine's files, made if they are not there.

    Raises:
        MachineError: a tool is missing or fails.
    """
    if missing := [package for tool, package in NEEDED.items() if not shutil.which(tool)]:
        raise MachineError(f"Tools are missing: sudo apt install {' '.join(missing)}.")
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    wheels = project["dependencies"] + project["optional-dependencies"]["camera"]
    recipe = hashlib.sha256(repr((RELEASE, PACKAGES, START, sorted(wheels))).encode()).hexdigest()
    folder = cache_folder() / f"machine-{recipe[:12]}"
    if not folder.exists():
        print("Making the machine: once, some minutes and 1 GB.", flush=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".machine-") as temporary:
            _make(Path(temporary), wheels)
            (Path(temporary) / "home").mkdir()
            for outdated in folder.parent.glob("machine-*"):
                shutil.rmtree(outdated)
            os.rename(temporary, folder)
    return folder


def _make(folder: Path, wheels: list[str]) -> None:
    packages, start = folder / "packages", folder / "start"
    start.write_text(START)
    platforms = [f"--platform=manylinux_2_{minor}_x86_64" for minor in range(5, 37)]  # bookworm has glibc 2.36
    platforms += ["--platform=manylinux2014_x86_64", "--platform=manylinux1_x86_64"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", f"--target={packages}"]
    pip += ["--only-binary=:all:", f"--python-version={PYTHON}", "--implementation=cp", *platforms, *wheels]
    hooks = [
        f"sync-in {packages} /opt",
        'echo squashfs >> "$1"/etc/initramfs-tools/modules',
        'chroot "$1" update-initramfs -u',
        'mkdir "$1"/mnt/checkout "$1"/mnt/home',
        f"upload {start} /sbin/start",
        'chmod +x "$1"/sbin/start',
        f"download /vmlinuz {folder / 'vmlinuz'}",
        f"download /initrd.img {folder / 'initrd.img'}",
    ]
    debian = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    debian += [f"--customize-hook={hook}" for hook in hooks] + [RELEASE, "-", MIRROR]
    squash = ["tar2sqfs", "--quiet", "--compressor", "zstd", str(folder / "root.squashfs")]
    try:
        subprocess.run(pip, check=True)
        with subprocess.Popen(debian, stdout=subprocess.PIPE) as making:
            subprocess.run(squash, stdin=making.stdout, check=True)
        if making.returncode:
            raise subprocess.CalledProcessError(making.returncode, debian)
    except subprocess.CalledProcessError as error:
        raise MachineError(f"{Path(error.cmd[0]).name} failed with {error.returncode}; see above.") from error
    shutil.rmtree(packages)


def run(folder: Path, command: str, accelerator: str, seconds: float) -> None:
    """Run a shell command in the checkout there, and show what it prints.

    Raises:
        MachineError: the machine does not come up, or takes longer than `seconds`.
    """
    (folder / "home" / "command").write_text(command)
    how, lent = ACCELERATORS[accelerator], "security_model=none"
    qemu = ["qemu-system-x86_64", *how.options.split(), "-m", "2G", "-nodefaults"]
    qemu += ["-display", "none", "-serial", "stdio", "-no-reboot"]
    qemu += ["-kernel", str(folder / "vmlinuz"), "-initrd", str(folder / "initrd.img")]
    qemu += ["-drive", f"file={folder / 'root.squashfs'},format=raw,if=virtio,readonly=on"]
    qemu += ["-virtfs", f"local,path={CHECKOUT},mount_tag=checkout,{lent},readonly=on"]
    qemu += ["-virtfs", f"local,path={folder / 'home'},mount_tag=home,{lent}"]
    qemu += ["-append", "root=/dev/vda rootfstype=squashfs ro console=ttyS0 quiet panic=-1 init=/sbin/start"]
    process = subprocess.Popen(qemu, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        _show(process, how.up_s, seconds)
    finally:
        process.kill()
        process.wait()


def _show(process: subprocess.Popen[bytes], up_s: float, seconds: float) -> None:
    end, said = time.monotonic() + seconds, False
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(up_s if not said else max(0.0, end - time.monotonic())):
            if not (text := os.read(process.stdout.fileno(), 1 << 16)):
                break
            said = True
            sys.stdout.buffer.write(text)
            sys.stdout.flush()
        else:
            raise MachineError(f"It did not finish within {seconds:.0f} s." if said else "It does not start.")
    if not said:
        raise MachineError(f"QEMU ended with {process.wait()}.")
