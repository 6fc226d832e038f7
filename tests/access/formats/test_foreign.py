"""Files of other programs are named, with what to do: what people really give to a tool for weights."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
from support import run_weightkit

from weightkit import open_weights
from weightkit.errors import RequestError, UnsupportedFileError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PYTORCH_MAGIC = 0x1950A86A20F9469CFC6C


def zipped(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return content.getvalue()


def tarred() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.h5"))
    return content.getvalue()


def tarred_weights(form: int = tarfile.GNU_FORMAT) -> bytes:
    """HDF5 right behind the first block: h5py takes that for a user block."""
    weights, content = io.BytesIO(), io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = np.ones((3, 4), "f4")
    with tarfile.open(fileobj=content, mode="w", format=form) as archive:
        member = tarfile.TarInfo("model.weights.h5")
        member.size = len(weights.getvalue())
        archive.addfile(member, io.BytesIO(weights.getvalue()))
    return content.getvalue()


def oldest_tar() -> bytes:
    """As of Unix' seventh edition: without a signature."""
    content = bytearray(tarred_weights(tarfile.USTAR_FORMAT))
    content[257:265], content[148:156] = bytes(8), b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    return bytes(content)


def numpy_bytes() -> bytes:
    content = io.BytesIO()
    np.save(content, np.ones((3, 4)))
    return content.getvalue()


def numpy_zip() -> bytes:
    content = io.BytesIO()
    np.savez(content, np.ones(3), kernel=np.ones(3))
    return content.getvalue()


def safetensors() -> bytes:
    head = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    return struct.pack("<Q", len(head)) + head + bytes(8)


def keras_0() -> bytes:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["nb_layers"] = 1
        file["layer_0/param_0"], file["layer_0/param_1"] = np.ones((3, 4), "f4"), np.ones(4, "f4")
    return content.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 231456789\n"
SHARDS = {
    "metadata": {"total_size": 1.0},
    "weight_map": {f"/layers/{n}/vars": [f"m_{n % 5:05}.weights.h5"] for n in range(9)},
}
INDEX_END = bytes(40) + struct.pack("<Q", 0xDB4775248B80FB57)
# By name: the bytes, what the message says, and what the hint says.
FOREIGN: dict[str, tuple[bytes, str, str]] = {
    "lfs.h5": (LFS, "it is a Git-LFS pointer", "git lfs pull"),
    "page.h5": (b"\n <!DOCTYPE html><html><body>Quota exceeded</body></html>", "an HTML page", "download"),
    "old_lfs.h5": (LFS.replace(b"git-lfs", b"hawser"), "it is a Git-LFS pointer", "git lfs pull"),
    "title.h5": (b"<title>404</title>", "an HTML page", "download"),
    "page_with_a_mark.h5": (b"\xef\xbb\xbf<HTML>no</HTML>", "an HTML page", "download"),
    "error.keras": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "it is XML", "download"),
    "model.h5.gz": (gzip.compress(b"\x89HDF"), "compressed with gzip", "gunzip"),
    "model.h5.bz2": (bz2.compress(b"\x89HDF"), "compressed with bzip2", "unpack"),
    "empty.bz2": (bz2.compress(b""), "compressed with bzip2", "unpack"),
    "model.h5.xz": (lzma.compress(b"\x89HDF"), "compressed with xz", "unpack"),
    "model.h5.zst": (b"\x28\xb5\x2f\xfd\x04\x00", "compressed with Zstandard", "unpack"),
    "model.7z": (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7-Zip archive", "unpack"),
    "model.rar": (b"Rar!\x1a\x07\x01\x00", "a RAR archive", "unpack"),
    "model.tar": (tarred(), "a tar archive", "tar -xf"),
    "tar.weights.h5": (tarred_weights(), "a tar archive", "tar -xf"),
    "pax.weights.h5": (tarred_weights(tarfile.PAX_FORMAT), "a tar archive", "tar -xf"),
    "oldest.weights.h5": (oldest_tar(), "a tar archive", "tar -xf"),
    "old.pt": (pickle.dumps(PYTORCH_MAGIC, 2) + pickle.dumps(1001, 2), "a PyTorch file", "convert"),
    "new.pt": (zipped(**{"m/data.pkl": b"\x80\x02}q", "m/data/0": bytes(8)}), "a PyTorch file", "convert"),
    "safe.h5": (safetensors(), "it holds safetensors", "convert"),
    "model.onnx": (b"\x08\x07\x12\x07pytorch\x1a\x052.0.0:\x10" + bytes(16), "an ONNX model", "convert"),
    "model.tflite": (struct.pack("<I4s", 28, b"TFL3") + bytes(20), "a TensorFlow Lite model", "converted from"),
    "saved_model.pb": (b"\x08\x01\x12\xd4\x01\x0a\x10" + bytes(30), "part of a TensorFlow SavedModel", "TFSMLayer"),
    "keras_metadata.pb": (b"\x0a\x9c\x0f\x08\x01\x12\x04root\x22\x0f_tf_keras_model", "a TensorFlow SavedModel", "TF"),
    "frozen.pb": (b"\x0a\x2f\x0a\x05input\x12\x0bPlaceholder" + bytes(30), "a TensorFlow graph", "save the model"),
    "checkpoint": (b'model_checkpoint_path: "a.ckpt"\n', "a TensorFlow checkpoint's files", "load_weights"),
    "a.ckpt.index": (b"\x00\x00\x02\x08\x01" + INDEX_END, "the index of a TensorFlow checkpoint", "load_weights"),
    "a.ckpt.data-00000-of-00001": (b"\x3f" * 99, "the values of a TensorFlow checkpoint", "load_weights"),
    "kernel.npy": (numpy_bytes(), "a NumPy array", "assign"),
    "weights.npz": (numpy_zip(), "NumPy arrays", "assign"),
    "model.gguf": (b"GGUF\x03\0\0\0", "a GGUF file", "convert"),
    "model.mat": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "a MATLAB file", "convert"),
    "m.weights.json": (json.dumps(SHARDS).encode(), "in 5 shards: m_00000.weights.h5, .*_00002.weights.h5 and 2 more",
                       "one of the shards"),
    "model.safetensors.index.json": (b'{"weight_map": {"a": "model-1.safetensors"}}', "index of model-1.safe", "give"),
    "config.json": (b'{"module": "keras", "class_name": "Model", "config": {}}', "a model's configuration", "weights"),
    "model.json": (b'{"format": "", "modelTopology": {}}', "a TensorFlow.js model", "tensorflowjs_converter"),
    "list.json": (b"[1, 2]", "it is JSON text, not weights", "give"),
    "cut.json": (b'{"weight_map": {', "it is JSON text, not weights", "give"),
    "deep.json": (b'{"a":' * 100_000, "it is JSON text, not weights", "give"),
    "teachable.zip": (zipped(**{"keras_model.h5": b"\x89HDF", "labels.txt": b"0 cat"}), "from Teachable Machine",
                      "unzip it and give keras_model.h5"),
    "other.zip": (zipped(**{"a/b.keras": b"", "__MACOSX/a/._b.keras": b""}), "which holds a/b", "give a/b.keras"),
    "saved.zip": (zipped(**{"m/saved_model.pb": b"", "m/variables/variables.index": b""}), "SavedModel", "Keras 2"),
    "web.zip": (zipped(**{"model.json": b"{}", "weights.bin": b""}), "TensorFlow.js", "tensorflowjs_converter"),
    "lite.zip": (zipped(**{"model_unquant.tflite": b"", "labels.txt": b""}), "TensorFlow Lite", "converted from"),
    "text.zip": (zipped(readme=b""), "holds no model.weights.h5: it holds readme", "give"),
    "keras0.h5": (keras_0(), "weights of Keras before 1.0", "Keras 1.0 to 1.2"),
}  # fmt: skip
PICKLES = [pickle.dumps(what, protocol) for what in ({"w": [1.5]}, [np.ones(3)]) for protocol in range(6)]


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_file_is_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    content, what, hint = FOREIGN[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnsupportedFileError, match=what) as caught:
        open_weights(path)
    assert hint in caught.value.hint
    assert caught.value.file == str(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", PICKLES)
def test_a_pickle_of_any_protocol_is_named_and_never_loaded(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    with pytest.raises(UnsupportedFileError, match="a Python pickle, which weightkit never loads"):
        open_weights(path)


@pytest.mark.parametrize("content", [b"class\nnothing", b"hello", b"(c) 2026", b"\n\n\n", b"Rar", b"PKL", b"BZhello"])
def test_what_only_starts_a_little_like_another_format_is_not_named_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    with pytest.raises(UnsupportedFileError, match=r"neither HDF5 nor a .keras archive"):
        open_weights(path)


def test_an_index_says_which_shards_are_not_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.json"
    path.write_text(json.dumps({"weight_map": {"/a": ["m_00000.weights.h5", "../m.h5"], "/b": ["m_00001.weights.h5"]}}))
    for number, missing in enumerate(
        (r" \(m_00000.weights.h5, m_00001.weights.h5 missing\)", r" \(m_00001.weights.h5 m", "")
    ):
        with pytest.raises(UnsupportedFileError, match=rf"in 3 shards: .*_00001.weights.h5{missing}"):
            open_weights(path)
        (tmp_path / f"m_{number:05}.weights.h5").write_bytes(b"")
    with pytest.raises(UnsupportedFileError, match="h5 — give"):
        open_weights(path)


def saved_model(folder: Path) -> None:
    (folder / "saved_model.pb").write_bytes(b"")
    (folder / "variables").mkdir()


def files(*names: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for name in names:
            (folder / name).write_bytes(b"")

    return make


FOLDERS: list[tuple[Callable[[Path], None], str, str]] = [
    (saved_model, "a TensorFlow SavedModel folder", "TFSMLayer"),
    (files("checkpoint", "a.ckpt.index", "a.ckpt.data-00000-of-00001"), "TensorFlow checkpoints", "load one"),
    (files("config.json", "model.weights.json", "model_00000.weights.h5"), "in shards", "in one file"),
    (files("_CHECKPOINT_METADATA", "manifest.ocdbt"), "an Orbax checkpoint", "load it"),
    (files("b.keras", "a.h5", "readme"), "it is a folder, which holds .*a.h5, .*b.keras", "a.h5"),
    (files("readme"), "it is a folder, not a weight file", "give a Keras .h5"),
]


@pytest.mark.parametrize(("make", "what", "hint"), FOLDERS)
def test_a_folder_is_named_by_what_is_in_it(tmp_path: Path, make: Callable[[Path], None], what: str, hint: str) -> None:
    make(tmp_path)
    with pytest.raises(UnsupportedFileError, match=what) as caught:
        open_weights(tmp_path)
    assert hint in caught.value.hint
    assert caught.value.file == str(tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/model.h5", "HTTP://example.com/m.keras", "gs://bucket/m.h5", "s3://bucket/m.h5",
        "hf://keras/bert", "kaggle://keras/gemma/keras/gemma_2b_en", "https:/example.com/m.h5",
    ],
)  # fmt: skip
def test_a_url_is_a_wrong_request(url: str) -> None:
    with pytest.raises(RequestError, match="it is a URL, and weightkit opens files on this machine") as caught:
        open_weights(url)
    assert caught.value.hint == "download it first"
    assert caught.value.file == url.replace(":/", "://").replace(":///", "://")


def test_a_file_whose_name_looks_like_a_url_is_opened(tmp_path: Path, weights: bytes) -> None:
    (tmp_path / "s3:").mkdir()
    (tmp_path / "s3:" / "m.weights.h5").write_bytes(weights)
    done = run_weightkit("show", "s3:/m.weights.h5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run_weightkit("show", "s3:/n.weights.h5", cwd=tmp_path)
    assert (done.returncode, "it is a URL" in done.stderr) == (2, True)


def test_the_prefix_of_a_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.ckpt.index").write_bytes(b"")
    with pytest.raises(RequestError, match="it is the prefix of a TensorFlow checkpoint"):
        open_weights(tmp_path / "a.ckpt")
    with pytest.raises(RequestError, match="there is no such file"):
        open_weights(tmp_path / "b.ckpt")


def test_every_command_says_it_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "lfs.h5").write_bytes(LFS)
    for arguments in (["show"], ["scale", "--factor", "2"], ["strip"], ["diff", "lfs.h5"]):
        done = run_weightkit(*arguments, "lfs.h5", cwd=tmp_path)
        assert done.returncode == 3
        assert done.stderr == (
            "weightkit: lfs.h5: it is a Git-LFS pointer: the file itself was not downloaded — run `git lfs pull` in "
            "its repository, or download the file from its page\n"
        )
