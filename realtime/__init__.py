"""asyncio, NumPy and devices: the live loop, its clock, sources and sinks."""
