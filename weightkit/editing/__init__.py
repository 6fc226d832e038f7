"""Plan an edit or do it; every verb is one of its acts."""

from weightkit.editing.edit import edit, plan

__all__ = ["edit", "plan"]
