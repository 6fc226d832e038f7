"""Edits that change more than values, one per file."""
