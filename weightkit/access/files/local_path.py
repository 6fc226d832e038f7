"""Whether a path can be one on this machine."""

from __future__ import annotations

import os
import re

from weightkit.errors import RequestError

# `pathlib` makes one slash of two.
_URL = re.compile(r"(https?|ftp|gs|s3|hf|kaggle|az|abfss?|hdfs|dbfs):/+", re.IGNORECASE)


def require_local(path: str | os.PathLike[str]) -> None:
    """Refuse an empty path, and a URL unless a file has that name.

    Raises:
        RequestError: It is one of these.
    """
    name = os.fspath(path)
    if not name:
        raise RequestError("the path is empty", hint="give a path, such as 'model.h5'")
    found = _URL.match(name)
    if found and not os.path.exists(name):  # noqa: PTH110  # it raises nothing
        raise RequestError(
            "it is a URL, and weightkit opens files on this machine",
            hint="download it first",
            file=f"{found[1]}://{name[found.end() :]}",
        )


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether there is a file that can be reached; unlike that of `pathlib`, it raises nothing."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder that can be reached; unlike that of `pathlib`, it raises nothing."""
    return os.path.isdir(path)  # noqa: PTH112


def not_there(name: str) -> RequestError:
    """The error of a path where nothing is."""
    if is_file(f"{name}.index"):
        return RequestError(
            "it is the prefix of a TensorFlow checkpoint, which weightkit does not read",
            hint="load it into its model (model.load_weights) with the Keras that saved it, and save that with Keras",
            file=name,
        )
    hint = "expand the ~ first (Path(path).expanduser())" if name.startswith("~") else "check the path"
    return RequestError("there is no such file", hint=hint, file=name)
