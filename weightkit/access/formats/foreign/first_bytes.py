"""What a file is that is no weight file of Keras: told by its first bytes, with what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weightkit.access.formats.foreign import HINT
from weightkit.access.formats.foreign.json_text import foreign_json
from weightkit.errors import UnsupportedFileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from weightkit.access.files.openfile import OpenFile

UNKNOWN = "it is neither HDF5 nor a .keras archive"
"""What is said of a file that is none of these."""
_HEAD = 4096  # bytes
_TAR_BLOCK, _TAR_SUM = 512, slice(148, 156)
_FROM_KERAS = "save the model with Keras (model.save('model.keras')) and give that file"
_CONVERT = "convert it to a Keras model first, and save that with Keras"
_UNPACK = "unpack it first, and give the file in it"
_DOWNLOAD = "download the file again, by its direct link"


@dataclass(frozen=True, slots=True)
class Foreign:
    """One kind of file: what it is, what to do, and how it is told."""

    what: str
    hint: str
    is_in: Callable[[bytes], bool]
    """Whether a file that starts with these bytes is one."""


def foreign(source: OpenFile) -> UnsupportedFileError:
    """The error that names a file which is neither HDF5 nor an archive."""
    head = source.read(0, _HEAD)
    problem, hint = _found(source, head)
    return UnsupportedFileError(problem, hint=hint, file=source.name)


def _found(source: OpenFile, head: bytes) -> tuple[str, str]:
    if _is_safetensors(head, source.size):
        return "it holds safetensors, not Keras weights", _CONVERT
    for known in FOREIGN:
        if known.is_in(head):
            return f"it is {known.what}", known.hint
    if source.read(max(0, source.size - 8), 8) == _INDEX_END:
        return "it is the index of a TensorFlow checkpoint", _CHECKPOINT
    if re.search(r"\.data-\d{5}-of-\d{5}$", source.name):
        return "it holds the values of a TensorFlow checkpoint", _CHECKPOINT
    if head.lstrip()[:1] in {b"{", b"["}:
        return foreign_json(source)
    return UNKNOWN, HINT


def _is_safetensors(head: bytes, size: int) -> bool:
    """A length of eight bytes, then that much JSON."""
    return head[8:9] == b"{" and 8 + int.from_bytes(head[:8], "little") <= size


def is_tar(head: bytes) -> bool:
    """Whether a tar archive starts so: the oldest kind has no signature, only the sum of its first block's bytes."""
    block, stored = head[:_TAR_BLOCK], head[_TAR_SUM]
    spaced = sum(block) - sum(stored) + len(stored) * ord(" ")  # the sum is taken as if spaces were in its own place
    summed = len(block) == _TAR_BLOCK and stored.strip(b" \0").lstrip(b"0") == b"%o" % spaced
    return summed or head[257:262] == b"ustar"


def _starts(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(signatures)


def _starts_as_text(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.removeprefix(b"\xef\xbb\xbf").lstrip()[:64].lower().startswith(signatures)


def _matches(pattern: bytes) -> Callable[[bytes], bool]:
    compiled = re.compile(pattern, re.DOTALL)
    return lambda head: compiled.match(head) is not None


_CHECKPOINT = "load it into its model (model.load_weights) with the Keras that saved it, and save the model with Keras"
_INDEX_END = 0xDB4775248B80FB57.to_bytes(8, "little")  # of a table of LevelDB, in which TensorFlow keeps it
_OLD_PYTORCH = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."

FOREIGN = (
    Foreign(
        "a Git-LFS pointer: the file itself was not downloaded",
        "run `git lfs pull` in its repository, or download the file from its page",
        _starts(b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/"),
    ),
    Foreign(
        "an HTML page, as a failed download leaves it",
        _DOWNLOAD,
        _starts_as_text(b"<!doctype html", b"<html", b"<head", b"<body", b"<title", b"<meta", b"<h1"),
    ),
    Foreign("XML, such as a server's error message", _DOWNLOAD, _starts_as_text(b"<?xml", b"<error>")),
    Foreign("compressed with gzip", "unpack it first (`gunzip FILE`, or `tar -xzf FILE` if it ends in .tar.gz or .tgz)",
            _starts(b"\x1f\x8b")),
    Foreign("compressed with bzip2", _UNPACK, _matches(rb"BZh[1-9](1AY&SY|\x17rE8P)")),
    Foreign("compressed with xz", _UNPACK, _starts(b"\xfd7zXZ\0")),
    Foreign("compressed with Zstandard", _UNPACK, _starts(b"\x28\xb5\x2f\xfd")),
    Foreign("a 7-Zip archive", _UNPACK, _starts(b"7z\xbc\xaf\x27\x1c")),
    Foreign("a RAR archive", _UNPACK, _starts(b"Rar!\x1a\x07")),
    Foreign("a tar archive", "unpack it first (`tar -xf FILE`), and give the file in it", is_tar),
    Foreign("a PyTorch file", _CONVERT, _starts(_OLD_PYTORCH)),
    Foreign(
        "a Python pickle, which weightkit never loads, as that can run any code",
        "save the weights with Keras instead (model.save_weights('model.weights.h5'))",
        _matches(rb"\x80[\x02-\x05][\x95}\](cXKJMNGU\x88-\x8b)]|[}\]]q\x00|\([ld]p\d+\n|c(copy_reg|numpy|torch|__builtin__)"),
    ),
    Foreign("a TensorFlow Lite model", "give the Keras model that it was converted from", _matches(rb".{4}TFL3")),
    # The first field of a SavedModel's message is its version, 1; that of ONNX is its own, 2 and more for years.
    Foreign(
        "a part of a TensorFlow SavedModel",
        "load its folder with Keras 2 or keras.layers.TFSMLayer, and save the model with Keras",
        _matches(rb"\x08\x01\x12|\x0a.{1,200}_tf_keras_"),
    ),
    Foreign("an ONNX model", _CONVERT, _matches(rb"\x08[\x02-\x20][\x12\x1a\x22\x2a\x32\x3a\x42]")),
    Foreign("a TensorFlow graph", _FROM_KERAS, _matches(rb"\x0a.{1,4}\x0a.[ -~]{1,200}\x12.[A-Z][A-Za-z0-9]+")),
    Foreign(
        "the list of a TensorFlow checkpoint's files",
        _CHECKPOINT,
        _starts(b"model_checkpoint_path:"),
    ),
    Foreign("a NumPy array (.npy)", "assign it to a weight with Keras (weight.assign), and save the model",
            _starts(b"\x93NUMPY")),
    Foreign("a GGUF file", _CONVERT, _starts(b"GGUF")),
    Foreign("a MATLAB file", _CONVERT, _starts(b"MATLAB 5.0 MAT-file")),
)  # fmt: skip
"""In the order in which they are asked."""
