"""Why a file is refused, as the reading process tells it."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818  # it is a reply, not an error of this program
    """The file is refused: the class of error, where in the file, and why."""

    def __init__(self, error: str, path: str, why: str) -> None:
        super().__init__(error, path, why)
        self.record = {"refuse": error, "path": path, "why": why}
