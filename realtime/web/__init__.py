"""A page in the browser: signalling, sessions, static files."""
