"""Hostile files: a corpus of them, and the harness that opens each as nobody and looks at what becomes of it."""
