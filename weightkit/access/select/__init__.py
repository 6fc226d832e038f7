"""The selection language: which weights are meant, as text or as objects joined with ``&``, ``|``, ``~``."""

from weightkit.access.select.combine import Choice, Where, combine
from weightkit.access.select.ends import EndLayers
from weightkit.access.select.fields import Field
from weightkit.access.select.parse import parse
from weightkit.access.select.paths import Glob, Regex
from weightkit.access.select.pattern_escape import escape_pattern
from weightkit.access.select.roles import Role, role_of
from weightkit.access.select.selecting import Selected, missed, selected
from weightkit.access.select.selectors import Predicate, Reach, Selector
from weightkit.access.select.suggestions import nearest

__all__ = [
    "Choice",
    "EndLayers",
    "Field",
    "Glob",
    "Predicate",
    "Reach",
    "Regex",
    "Role",
    "Selected",
    "Selector",
    "Where",
    "combine",
    "escape_pattern",
    "missed",
    "nearest",
    "parse",
    "role_of",
    "selected",
]
