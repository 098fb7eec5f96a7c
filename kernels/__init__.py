"""The rasterizer, in Numba and NumPy."""
