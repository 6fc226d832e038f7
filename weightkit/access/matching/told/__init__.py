"""Where layers went, as the user says: ``rename``, ``source_at``, ``target_at``."""
