"""Verbs that change more than values: one a file."""
