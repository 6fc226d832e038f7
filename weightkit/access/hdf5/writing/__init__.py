"""How a new file is written: a patched copy, a rebuilt file, or one from nothing."""
