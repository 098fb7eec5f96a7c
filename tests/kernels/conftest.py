"""Makes this folder's helpers importable by every test of the room."""
