"""What an engine was built for: the processor or the GPU with its driver, as one value that can be compared."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from export.engine import Device

INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8", "asimd", "bf16")
"""Those that decide how fast a network runs, and with which kernels."""


def describe(device: Device) -> dict[str, str]:
    """name, capability and driver. For a CPU: model, instruction sets in use, system."""
    if device == "cpu":
        name, flags = _processor()
        limit = os.environ.get("ONEDNN_MAX_CPU_ISA")
        capability = " ".join(flag for flag in INSTRUCTIONS if flag in flags) + (f" (at most {limit})" if limit else "")
        return {"name": name, "capability": capability, "driver": platform.system()}
    import torch

    major, minor = torch.cuda.get_device_capability()
    return {"name": torch.cuda.get_device_name(), "capability": f"{major}.{minor}", "driver": _driver()}


def _processor() -> tuple[str, set[str]]:
    """Model name and flags."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine(), set()
    about = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = about.get("flags", about.get("Features", ""))
    return about.get("model name", platform.machine()), set(flags.split())


def _driver() -> str:
    """Version of the NVIDIA driver."""
    try:
        words = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8").split()
    except OSError:
        return "unknown"
    return next((word for word in words if word[:1].isdigit() and "." in word), "unknown")
