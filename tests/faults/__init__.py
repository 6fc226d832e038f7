"""The fault harness: every call that changes a file fails, falls short, or is the last one."""
