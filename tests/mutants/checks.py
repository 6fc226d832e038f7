"""The safety checks: the text that does each, what replaces it, and the tests that are to notice."""

from __future__ import annotations

from dataclasses import dataclass

from tests import ROOT

_FILES, _FORMATS = "weightkit/access/files", "weightkit/access/formats"
_HDF5, _CHILD = "weightkit/access/hdf5", "weightkit/access/hdf5/child"
_STATE, _STATE_TESTS = "weightkit/training/state_file", "tests/training/state_file"
_ON_TENSORFLOW = "--backend tensorflow"
_SALVAGE = "weightkit/access/salvage"
_TESTS, _HDF5_TESTS, _CHILD_TESTS = "tests/access/files", "tests/access/hdf5", "tests/access/hdf5/child"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One check, the text that does it, what is put there instead, and the tests that are to notice."""

    check: str
    file: str
    old: str
    new: str
    tests: str
    options: str = ""
    """What pytest needs to run them: a backend, for those of Keras' rooms."""

    @property
    def source(self) -> str:
        """The text of its file, as it is."""
        return (ROOT / self.file).read_text(encoding="utf-8")


MUTANTS = [
    # What a file may not hold, in the reading process.
    Mutant(
        "links other than hard ones are refused",
        f"{_CHILD}/scan.py", "if kind != h5l.TYPE_HARD:", "if False:", f"{_CHILD_TESTS}/test_scan.py",
    ),
    Mutant(
        "groups that contain each other are refused as a circle",
        f"{_CHILD}/scan.py", "if place in above.above:", "if False:", f"{_CHILD_TESTS}/test_scan.py",
    ),
    Mutant(
        "groups are followed to a depth",
        f"{_CHILD}/scan.py", 'if len(self._stack) > self._limits["depth"]:', "if False:",
        f"{_CHILD_TESTS}/test_scan.py",
    ),
    Mutant(
        "objects are bounded",
        f"{_CHILD}/scan.py", 'if len(seen) > limits["objects"]:', "if False:", f"{_CHILD_TESTS}/test_scan.py",
    ),
    Mutant(
        "a file of which a part cannot be read is refused",
        f"{_CHILD}/scan.py", "self._damage.require_none()", "pass", f"{_CHILD_TESTS}/test_damage.py",
    ),
    Mutant(
        "external storage is refused",
        f"{_CHILD}/dataset_record.py", "if creation.get_external_count():", "if False:", f"{_CHILD_TESTS}/test_scan.py",
    ),
    Mutant(
        "virtual datasets are refused",
        f"{_CHILD}/dataset_record.py", "return _LAYOUTS[layout]", 'return "contiguous"',
        f"{_CHILD_TESTS}/test_scan.py {_HDF5_TESTS}/test_index.py",
    ),
    Mutant(
        "filters that are not known are refused",
        f"{_CHILD}/stored_values.py", "if code not in _SAFE_FILTERS:", "if False:", f"{_CHILD_TESTS}/test_scan.py",
    ),
    Mutant(
        "attributes are bounded",
        f"{_CHILD}/attributes.py", 'if max(size, _length(value)) > limits["attribute"]:', "if False:",
        f"{_CHILD_TESTS}/test_scan.py",
    ),
    Mutant(
        "shuffled chunks that nothing tells are refused",
        f"{_CHILD}/stored_values.py", "if alone and over and", "if False and", f"{_CHILD_TESTS}/test_scan.py",
    ),
    Mutant(
        "a header is told by its bytes only where all of it is as the library writes it: fill value",
        f"{_CHILD}/headers.py", "or fill != _NO_FILL ", "", f"{_CHILD_TESTS}/test_headers.py",
    ),
    Mutant(
        "a header is told by its bytes only where all of it is as the library writes it: flags",
        f"{_CHILD}/headers.py", " or flags > _CONSTANT or any(zeros)", "", f"{_CHILD_TESTS}/test_headers.py",
    ),
    # What a damaged file is believed.
    Mutant(
        "the structure of a damaged file is read inside the file alone, and a weight at its end is partial",
        f"{_SALVAGE}/remains.py", "        if inside < size:\n", "        if False:\n", "tests/surgery/test_salvage.py",
    ),
    Mutant(
        "what is found in a damaged file shares its bytes with nothing else",
        f"{_SALVAGE}/remains.py", "if dataset.address in self._shared:", "if False:", "tests/surgery/test_salvage.py",
    ),
    Mutant(
        "a hole of zeros makes no weight whole",
        f"{_SALVAGE}/remains.py", 'if touched else (size, "")', 'if False else (size, "")',
        "tests/surgery/test_salvage.py",
    ),
    Mutant(
        "a header of a damaged file counts only if it has as many messages as it says",
        f"{_SALVAGE}/structure/object_header.py", "    if len(found) != count:\n", "    if False:\n",
        "tests/access/salvage/test_limits.py",
    ),
    Mutant(
        "a header with a checksum counts only if that is right",
        f"{_SALVAGE}/structure/object_header.py", ' or lookup3(content).to_bytes(4, "little") != checksum', "",
        "tests/surgery/test_salvage.py",
    ),
    Mutant(
        "the work on a damaged file is bounded",
        f"{_SALVAGE}/structure/window.py", "        if self._left < 0:\n", "        if False:\n",
        "tests/access/salvage/test_limits.py",
    ),
    Mutant(
        "the objects of a damaged file are bounded",
        f"{_SALVAGE}/structure/survey.py", "> self._limits.objects:", "< 0:", "tests/access/salvage/test_limits.py",
    ),
    Mutant(
        "what was rescued is read back before it is put in place",
        f"{_SALVAGE}/rebuilt.py", "if _digest_of(fd, start, index, remnant) != remnant.digest:", "if False:",
        "tests/access/salvage/test_rebuilt.py",
    ),
    # Who may use a store, and until when.
    Mutant(
        "a closed store reads nothing",
        "weightkit/access/files/held.py", "        if not self._open:\n", "        if False:\n",
        "tests/access/test_store.py",
    ),
    Mutant(
        "a store that is closed during a read keeps its descriptor until the read ends",
        "weightkit/access/files/held.py", "in_use = self._due = self._users > 0", "pass",
        "tests/access/files/test_held.py",
    ),
    Mutant(
        "an edit of a store that was closed meanwhile is never put in place",
        "weightkit/access/hdf5/file_store.py",
        "self.require_usable()  # another thread may have closed it meanwhile", "pass",
        "tests/access/files/test_held.py",
    ),
    Mutant(
        "a store that came by a fork reads nothing",
        "weightkit/access/files/held.py", "        if self._process != os.getpid():\n", "        if False:\n",
        "tests/access/test_store.py",
    ),
    Mutant(
        "a store that is forgotten gives back what it holds",
        "weightkit/access/files/held.py", "_forgotten, label, self._process, things)", "_forgotten, label, 0, ())",
        "tests/access/test_store.py",
    ),
    Mutant(
        "an edit with an output takes only a shared lock",
        "weightkit/access/edits/perform.py", "not options.dry_run and options.output is None", "not options.dry_run",
        "tests/access/test_store.py",
    ),
    Mutant(
        "text that many lists repeat is refused",
        f"{_CHILD}/attributes.py", "if left < 0:", "if False:", f"{_CHILD_TESTS}/test_scan.py",
    ),
    # What the reading process may do, and what is believed of it.
    Mutant(
        "an answer is one to the request, by number and weight",
        f"{_HDF5}/scanner.py", 'if (record["number"], record.get("of")) != (self.number, self.path):', "if False:",
        f"{_HDF5_TESTS}/test_scanner_start.py",
    ),
    Mutant(
        "time in which the whole tool was stopped is no silence",
        f"{_HDF5}/channel.py", "_SLICES = 20", "_SLICES = 1", f"{_HDF5_TESTS}/test_scanner_start.py",
    ),
    Mutant(
        "the reading process is the running package's own",
        f"{_HDF5}/scanner.py", "return [own, *(", "return [*(", f"{_HDF5_TESTS}/test_scanner_start.py",
    ),
    Mutant(
        "modules are looked for in folders of the path alone",
        f"{_HDF5}/scanner.py", "isinstance(entry, str) and entry != own and entry", "entry != own",
        f"{_HDF5_TESTS}/test_scanner_start.py",
    ),
    Mutant(
        "a path is no longer than anybody gives one",
        f"{_HDF5}/index.py", "if by := excess(path):", "if False:", f"{_HDF5_TESTS}/test_index.py",
    ),
    Mutant(
        "a layer's name is no longer than anybody gives one",
        "weightkit/access/names/naming.py", "if by := excess(name):", "if False:", "tests/access/formats/test_refs.py",
    ),
    Mutant(
        "a shape is one that NumPy can hold, without elements too",
        f"{_HDF5}/index.py", "math.prod(axis or 1 for axis in axes)", "math.prod(axes)",
        f"{_HDF5_TESTS}/test_index.py",
    ),
    Mutant(
        "the reading process may not take more memory than it is given",
        f"{_CHILD}/main.py", '_lower(resource.RLIMIT_AS, _in_use() + limits["memory"])', "pass",
        f"{_HDF5_TESTS}/test_scanner.py",
    ),
    Mutant(
        "the reading process may write to no file",
        f"{_CHILD}/main.py", "resource.setrlimit(resource.RLIMIT_FSIZE, (bound, hard))", "pass",
        f"{_HDF5_TESTS}/test_scanner.py",
    ),
    Mutant(
        "the reading process ends with its parent, and with it the locks",
        f"{_CHILD}/main.py", "ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)", "pass",
        f"{_TESTS}/test_exchange.py",
    ),
    Mutant(
        "a reading process that says nothing is killed",
        f"{_HDF5}/channel.py", "self._socket.settimeout(wait)", "self._socket.settimeout(None)",
        f"{_HDF5_TESTS}/test_scanner.py",
    ),
    Mutant(
        "what the reading process says is bounded",
        f"{_HDF5}/scanner.py", "if budget < 0:", "if False:",
        f"{_CHILD_TESTS}/test_scan.py {_HDF5_TESTS}/test_scanner.py",
    ),
    Mutant(
        "an answer that was cut short is not taken for whole",
        f"{_HDF5}/scanner.py", 'if record["end"] != count:', "if False:", f"{_HDF5_TESTS}/test_scanner.py",
    ),
    Mutant(
        "the library loads no plugins and obeys no setting of its environment",
        f"{_HDF5}/scanner.py", 'if not name.startswith("HDF5_")', "if True", f"{_HDF5_TESTS}/test_scanner.py",
    ),
    Mutant(
        "values lie inside the file",
        f"{_HDF5}/index.py", "if start < 0 or start + dataset.size > length:", "if False:",
        f"{_HDF5_TESTS}/test_index.py",
    ),
    Mutant(
        "values and chunks lie over no others and over no header",
        f"{_HDF5}/spans.py", "if shared.size:", "if False:",
        f"{_HDF5_TESTS}/test_spans.py {_HDF5_TESTS}/test_index.py",
    ),
    Mutant(
        "chunks are checked against all else in the file",
        f"{_HDF5}/index.py", "spans.add(path, _chunk_spans(record, self.datasets[path]))",
        "_chunk_spans(record, self.datasets[path])", f"{_HDF5_TESTS}/test_index.py",
    ),
    Mutant(
        "the reading process tells of every chunk",
        f"{_CHILD}/dataset_record.py", "        yield from chunks.records(", "        chunks.records(",
        f"{_CHILD_TESTS}/test_dataset_record.py",
    ),
    Mutant(
        "chunks whose places are told later lie over no header",
        f"{_HDF5}/spans.py", "if stop > start:", "if False:", f"{_HDF5_TESTS}/test_spans.py",
    ),
    Mutant(
        "chunks, headers and values lie inside the file",
        f"{_HDF5}/spans.py", "if start < 0 or size < 0 or start + size > self._length:", "if False:",
        f"{_HDF5_TESTS}/test_spans.py",
    ),
    Mutant(
        "a chunk that no filter changed has the bytes of its elements",
        f"{_HDF5}/index.py", "if not dataset.filters and any(", "if False and any(", f"{_HDF5_TESTS}/test_index.py",
    ),
    Mutant(
        "a patched file has the chunk tables of the old one",
        f"{_CHILD}/dataset_record.py", 'chunks.digest if chunks else ""', '""',
        f"{_CHILD_TESTS}/test_dataset_record.py",
    ),
    Mutant(
        "a patched file has the text and the values in headers of the old one",
        f"{_CHILD}/dataset_record.py", '"content": content_of(dataset, layout, source.limits)', '"content": ""',
        f"{_HDF5_TESTS}/writing/test_overlaps.py",
    ),
    Mutant(
        "values take the bytes that their shape and type need",
        f"{_HDF5}/index.py", "if count * dataset.element != dataset.size:", "if False:",
        f"{_HDF5_TESTS}/test_index.py",
    ),
    Mutant(
        "a declared terabyte is refused",
        f"{_HDF5}/index.py", "if missing > _MOST_UNWRITTEN:", "if False:", f"{_HDF5_TESTS}/test_index.py",
    ),
    Mutant(
        "chunks lie inside the file",
        f"{_HDF5}/chunks.py", "if chunk.offset < 0 or chunk.size < 0 or chunk.offset + chunk.size > length:",
        "if False:", f"{_HDF5_TESTS}/test_chunks.py",
    ),
    Mutant(
        "chunks lie over no other chunk",
        f"{_HDF5}/chunks.py", "if chunk.offset < reach:", "if False:", f"{_HDF5_TESTS}/test_chunks.py",
    ),
    Mutant(
        "a chunk comes to its exact length",
        f"{_HDF5}/filters.py", "if len(content) != length:", "if False:", f"{_HDF5_TESTS}/test_filters.py",
    ),
    Mutant(
        "a chunk that inflates to too much is a bomb",
        f"{_HDF5}/filters.py", "inflater.decompress(content, most + 1)", "inflater.decompress(content)",
        f"{_HDF5_TESTS}/test_filters.py",
    ),
    Mutant(
        "a chunk's checksum is checked",
        f"{_HDF5}/filters.py", "or _CHECKSUM.pack(fletcher32(values)) != stored", "", f"{_HDF5_TESTS}/test_filters.py",
    ),
    # Archives.
    Mutant(
        "a checksum is repaired only of bytes that were right before",
        f"{_FORMATS}/member.py", "if self._found != self.crc:", "if False:", "tests/access/formats",
    ),
    Mutant(
        "an archive's members are bounded",
        f"{_FORMATS}/zip_directory.py", "if members > limits.members:", "if False:", "tests/access/formats",
    ),
    Mutant(
        "an archive's member may not inflate to far more than it is",
        f"{_FORMATS}/member.py", "if info.file_size > min(limits.inflated,", "if False and min(limits.inflated,",
        "tests/access/formats",
    ),
    Mutant(
        "an archive's members lie over no others",
        f"{_FORMATS}/zip_directory.py", "if info.header_offset < reach:", "if False:", "tests/access/formats",
    ),
    Mutant(
        "the values of a configuration are bounded",
        f"{_FORMATS}/legacy.py", "if values > _MOST_VALUES:", "if False:", "tests/access/formats/test_archive.py",
    ),
    Mutant(
        "an archive's members are stored or deflated",
        f"{_FORMATS}/zip_directory.py",
        "if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:", "if False:",
        "tests/access/formats/test_zip_directory.py",
    ),
    Mutant(
        "extra fields of an archive's members are bounded",
        f"{_FORMATS}/zip_directory.py", "if extra > _MOST_EXTRA:", "if False:",
        "tests/access/formats/test_zip_directory.py",
    ),
    Mutant(
        "an archive's directory is bounded, whichever record tells its size",
        f"{_FORMATS}/zip_directory.py", "if claimed > limits.directory:", "if False:",
        "tests/access/formats/test_zip_directory.py",
    ),
    Mutant(
        "a tar archive is not taken for HDF5 behind a user block",
        "weightkit/access/open.py", "return not is_tar(source.read(0, 512))", "return True",
        "tests/access/formats/test_foreign.py",
    ),
    Mutant(
        "no value of an archive is handed out before its checksum was checked",
        f"{_HDF5}/values.py", "self._container.require_intact()", "pass", f"{_HDF5_TESTS}/test_intact_values.py",
    ),
    # The edit.
    Mutant(
        "no output promises another format to Keras",
        f"{_FILES}/output_suffix.py", "if end and suffixes and end not in suffixes:", "if False:",
        f"{_TESTS}/test_output_suffix.py",
    ),
    Mutant(
        "new infinities and NaNs are refused",
        "weightkit/access/edits/apply.py", "if nonfinite and not allow_nonfinite:", "if False:",
        "tests/access/edits/test_apply.py",
    ),
    Mutant(
        "every element that was to change was written",
        f"{_HDF5}/writing/placed_sink.py", "self.require_complete()", "pass", f"{_HDF5_TESTS}/test_file_store.py",
    ),
    Mutant(
        "a patched file has the structure of the old one",
        f"{_HDF5}/writing/patch.py", "if not job.same(self._start, job.body.length):", "if False:",
        f"{_HDF5_TESTS}/test_file_store.py",
    ),
    Mutant(
        "a rebuilt file has the structure that was planned",
        f"{_HDF5}/writing/rebuild.py", "if found != wanted:", "if False:", f"{_CHILD_TESTS}/test_build.py",
    ),
    Mutant(
        "a rebuilt file has its structure checked after the last value",
        f"{_HDF5}/writing/rebuild.py", "if pieces or self.job.scanner.digest(",
        "if pieces or False and self.job.scanner.digest(",
        f"{_HDF5_TESTS}/writing/test_rebuild.py",
    ),
    Mutant(
        "a rebuild copies no more bytes than their place has",
        f"{_HDF5}/writing/rebuild.py", "if old.size != new.size:", "if False:",
        f"{_HDF5_TESTS}/writing/test_rebuild.py",
    ),
    Mutant(
        "what is not a plain number is never edited",
        f"{_HDF5}/file_store.py", "if ref.stored_as:", "if False:", f"{_HDF5_TESTS}/test_file_store.py",
    ),
    Mutant(
        "--verify reads every value back",
        "weightkit/access/edits/verify.py", "        if not right:\n", "        if False:\n",
        "tests/access/edits/test_verify.py",
    ),
    Mutant(
        "a file that somebody has open for writing is busy",
        f"{_FILES}/openfile.py", "fcntl.flock(self.fd, operation)", "pass", f"{_TESTS}/test_openfile.py",
    ),
    Mutant(
        "a file that changed since it was opened is busy",
        f"{_FILES}/openfile.py", "if now != self.identity or Identity.of(os.fstat(self.fd)) != self.identity:",
        "if False:", f"{_TESTS}/test_openfile.py",
    ),
    Mutant(
        "it counts as changed where its time was put back too",
        f"{_FILES}/openfile.py", "status.st_mtime_ns, status.st_ctime_ns, status.st_nlink", "status.st_mtime_ns, 0, 1",
        f"{_TESTS}/test_openfile.py",
    ),
    Mutant(
        "that is looked at once more before the file is replaced",
        f"{_FILES}/commit.py", "self._source.require_unchanged()", "pass", f"{_TESTS}/test_commit.py",
    ),
    Mutant(
        "set-user-ID is never carried over",
        f"{_FILES}/kept_status.py", "status.st_mode & _RIGHTS", "stat.S_IMODE(status.st_mode)",
        f"{_TESTS}/test_commit.py",
    ),
    Mutant(
        "set-user-ID is taken from backups",
        f"{_FILES}/kept_status.py", "os.fchmod(fd, mode & _RIGHTS)", "pass", f"{_TESTS}/test_commit.py",
    ),
    Mutant(
        "another group gets no rights that the old one had",
        f"{_FILES}/kept_status.py", "if now.st_gid != status.st_gid:", "if False:", f"{_TESTS}/test_commit.py",
    ),
    Mutant(
        "capabilities are never carried over",
        f"{_FILES}/kept_status.py", "if name.startswith(_OF_THE_CONTENT):", "if False:", f"{_TESTS}/test_commit.py",
    ),
    Mutant(
        "a file that its owner made read-only stays",
        f"{_FILES}/commit.py", "if not mode & stat.S_IWUSR:", "if False:", f"{_TESTS}/test_commit.py",
    ),
    Mutant(
        "an overwritten output stays as private as it was",
        f"{_FILES}/commit.py", "if not self._target.path.exists():", "if True:", f"{_TESTS}/test_commit.py",
    ),
    Mutant(
        "a backup has a number that is recognized",
        f"{_FILES}/backup.py", "0, 10**_DIGITS)", "0, 10**9)", f"{_TESTS}/test_backup.py",
    ),
    Mutant(
        "a folder that cannot be listed is refused before the edit",
        f"{_FILES}/commit.py", "    if destination.backup:\n        require_nameable(source.path)\n    return",
        "    return", f"{_TESTS}/test_commit.py",
    ),
    Mutant(
        "there is room for the new file before it is begun",
        f"{_FILES}/commit.py", "if free < size:", "if False:", f"{_TESTS}/test_commit.py",
    ),
    Mutant(
        "the new file is on the disk before it is put in place",
        f"{_FILES}/commit.py", "os.fsync(self.fd)", "pass", f"{_TESTS}/test_commit.py",
    ),
    Mutant(
        "its folder is on the disk before the edit is said to be done",
        f"{_FILES}/replace.py", "os.fsync(folder)", "pass", f"{_TESTS}/test_commit.py",
    ),
    Mutant(
        "hard links are parted only where that is asked for",
        f"{_FILES}/commit.py", "    if not part:\n", "    if False:\n", f"{_TESTS}/test_commit.py",
    ),
    Mutant(
        "an output that exists stays",
        f"{_FILES}/commit.py", "    if not destination.overwrite:\n", "    if False:\n", f"{_TESTS}/test_commit.py",
    ),
    Mutant(
        "an output that appears meanwhile stays",
        f"{_FILES}/commit.py", "publish(self._temporary.path, target)", "self._temporary.path.replace(target)",
        f"{_TESTS}/test_commit.py",
    ),
    Mutant(
        "an output that is the input is refused",
        f"{_FILES}/commit.py", "if target.samefile(source.path):", "if False:", f"{_TESTS}/test_commit.py",
    ),
    Mutant(
        "no backup is overwritten, and the old file has a name at every instant",
        f"{_FILES}/exchange.py", "        os.link(source.path, old)\n", "        os.rename(source.path, old)\n",
        f"{_TESTS}/test_exchange.py",
    ),
    Mutant(
        "signals wait while one file takes the other's place",
        f"{_FILES}/commit.py", "with signals_held():", "with contextlib.nullcontext():", f"{_TESTS}/test_commit.py",
    ),
    Mutant(
        "a new file that is given up is removed",
        f"{_HDF5}/file_store.py", "replacement.discard()", "pass", f"{_TESTS}/test_commit.py",
    ),
    Mutant(
        "what a killed edit left is removed only where nobody holds it",
        f"{_FILES}/leftovers.py", "return lock_alone(fd) is True", "return True", f"{_TESTS}/test_leftovers.py",
    ),
    Mutant(
        "a file that its writer has not closed is not replaced",
        f"{_HDF5}/file_store.py", "if self._marked and destination.output is None:", "if False:",
        f"{_HDF5_TESTS}/test_superblock.py",
    ),
    Mutant(
        "a copy of a file that its writer has not closed loses the mark",
        f"{_HDF5}/superblock.py", "if found is not None and found.is_marked:", "if False:",
        f"{_HDF5_TESTS}/test_superblock.py",
    ),
    Mutant(
        "a character that shows nothing is printed by its code",
        "weightkit/escape.py", "not _UNSEEN.match(char)", "True", "tests/test_escape.py",
    ),
    Mutant(
        "two texts that Unicode calls equivalent are printed differently",
        "weightkit/escape.py", 'unicodedata.is_normalized("NFC", cluster + char)', "True", "tests/test_escape.py",
    ),
    Mutant(
        "the memory that NumPy takes is asked for before OpenBLAS ends the process",
        "weightkit/cli/main.py", "_without_memory() or ", "", "tests/cli/test_memory.py",
    ),
    Mutant(
        "an error's text is escaped",
        "weightkit/errors.py", "{escape(self.problem)}", "{self.problem}", "tests/test_escape.py",
    ),
    Mutant(
        "an edit of a model undoes itself",
        "weightkit/access/live/undo.py", "    restore()", "    pass", "tests/access/live/test_undo.py",
    ),
    Mutant(
        "a kernel of Keras 1 whose order of axes is not known is refused",
        "weightkit/access/names/legacy/keras1_axes.py", "if first is None:", "if False:",
        "tests/transforms/test_kernel_axes.py",
    ),
    Mutant(
        "Keras 1's own initializers need the order of axes",
        "weightkit/transforms/initializers/keras1_initializers.py",
        "unknown = self.channels_first is None and", "unknown = False and",
        "tests/transforms/test_kernel_axes.py",
    ),
    Mutant(
        "weights that Keras never saves are said",
        "weightkit/access/live/live_store.py", "return note_on_unsaved(self.unsaved)", "return ()",
        "tests/access/live/test_unsaved.py",
    ),
    Mutant(
        "groups of a quantized weight that lead nowhere are refused",
        "weightkit/access/dequantize/dequantized.py", "if not ((stored >= 0) & (stored < count)).all():", "if False:",
        "tests/access/dequantize",
    ),
    Mutant(
        "quantized values without their zero points are not compared",
        "weightkit/access/dequantize/layout.py", "    if zero is None:\n        raise NotDequantizedError(_NO_ZERO)",
        "    if zero is None:\n        zero = scale", "tests/access/dequantize",
    ),
    Mutant(
        "layers whose names differ in the HDF5 are taken in the order in which Keras loads them",
        "weightkit/access/names/layer_list/places.py", "if in_order is None else _places(group, in_order)", "",
        "tests/access/names/layer_list/test_places.py",
    ),
    Mutant(
        "both copies of a weight are drawn alike",
        "weightkit/access/draw_keys.py",
        "return keys | {copy: keys[original] for copy, original in originals(weights).items()}", "return keys",
        "tests/access/test_copied_weights.py",
    ),
    Mutant(
        "bytes beside floats of another shape are a quantized layer",
        "weightkit/access/quantized_layers.py", "return any(floats - {ref.shape} for ref in unclear)", "return False",
        "tests/access/test_quantized_layers.py",
    ),
    Mutant(
        "a layout of Keras 1 that two readings fit is refused",
        "weightkit/transforms/loading/keras1_layout.py",
        "if len(fitting) == 1:", "if fitting:",
        "tests/transforms/loading/test_keras1_layout.py",
    ),
    Mutant(
        "a recurrent layer of another form is another function",
        "weightkit/transforms/loading/recurrent.py",
        "if pair not in _BIASES:", "if False:",
        "tests/transforms/loading/test_layer_conversions.py",
    ),
    Mutant(
        "a gate of Keras 1 that is missing is not left out",
        "weightkit/transforms/loading/keras1_names.py",
        "if order is None:", "if False:",
        "tests/transforms/loading/test_layer_conversions.py",
    ),
    Mutant(
        "integers of a quantized layer are not taken for weights",
        "weightkit/transforms/loading/layer_conversions.py",
        "if quantized[0] != quantized[1]:", "if False:",
        "tests/transforms/loading/test_layer_conversions.py",
    ),
    Mutant(
        "kernels of Theano are not mirrored by guess",
        "weightkit/transforms/loading/layer_conversions.py",
        "if None in kinds.values():", "if False:",
        "tests/transforms/loading/test_layer_conversions.py",
    ),
    Mutant(
        "layers inside are not paired by their order",
        "weightkit/transforms/loading/layer_conversions.py",
        "if first.keys() != second.keys():", "if False:",
        "tests/transforms/loading/test_layer_conversions.py",
    ),
    Mutant(
        "a weight that nothing tells the kind of is not resized",
        "weightkit/transforms/loading/resizing/resized.py",
        "if role is None:", "if False:",
        "tests/transforms/loading/resizing/test_resized.py",
    ),
    Mutant(
        "a resized weight differs in one size alone",
        "weightkit/transforms/loading/resizing/resized.py",
        "if not (same and", "if not (True and",
        "tests/transforms/loading/resizing/test_resized.py",
    ),
    Mutant(
        "a low-rank update that only the target has is not added to what is loaded",
        "weightkit/transforms/loading/loaded.py",
        "if updated := stale(found.missing, found.pairs):", "if updated := []:",
        "tests/transforms/loading/test_low_rank.py",
    ),
    Mutant(
        "a low-rank update counts by what the source says",
        "weightkit/transforms/loading/low_rank.py",
        "if isinstance(alpha, bool) or not isinstance(alpha, int | float):", "alpha = alpha or 2\n    if False:",
        "tests/transforms/loading/test_low_rank.py",
    ),
    Mutant(
        "a layer of another era is not taken for one that is copied as it is",
        "weightkit/transforms/loading/plain.py",
        "side.major in {None, _TODAY}", "True",
        "tests/transforms/loading/test_plain.py",
    ),
    Mutant(
        "layers do not go by place against given names of both sides",
        "weightkit/access/matching/match.py",
        "if crosses(placed.pairs.items(), ours, theirs):", "if False:",
        "tests/access/matching/test_given_names.py",
    ),
    Mutant(
        "automatic names do not choose between a nested model and the layers around it",
        "weightkit/access/matching/part.py", "places = _beside(named, found)", "places = []",
        "tests/access/matching/test_match.py",
    ),
    Mutant(
        "two weights are not renamed to one, of which one would be lost",
        "weightkit/access/matching/told/renamed.py", "if other is not before and ", "if False and ",
        "tests/access/matching/told/test_told.py",
    ),
    Mutant(
        "several layers of one name are not one by chance",
        "weightkit/access/matching/told/at_layer.py", "if len(found) > 1:", "if len(found) > 99:",
        "tests/access/matching/told/test_told.py",
    ),
    # Whose the slots in a file of Keras are.
    Mutant(
        "slots that could be of several weights are refused",
        f"{_STATE}/subsequences.py", "return first if first == ", "return first if True or first == ",
        f"{_STATE_TESTS}/test_checkpoint_weights.py", _ON_TENSORFLOW,
    ),
    Mutant(
        "slots of inner layers go by Keras' order, not by the file's",
        f"{_STATE}/trainable_weights.py", "block.sort(key=places.__getitem__)", "pass",
        f"{_STATE_TESTS}/test_checkpoint_weights.py", _ON_TENSORFLOW,
    ),
    Mutant(
        "slots of Keras 2 that have names do not go by their order",
        f"{_STATE}/keras2_state.py", "if not all(_NAMELESS.fullmatch(path) for path, _ in self._of_weights()):",
        "if False:",
        f"{_STATE_TESTS}/test_keras2_state.py", _ON_TENSORFLOW,
    ),
    Mutant(
        "patterns of a file are not matched",
        f"{_STATE}/stand_in.py",
        'if list(map(without_root, told["optimizer_map"])) != list(map(without_root, patterns)):', "if False:",
        f"{_STATE_TESTS}/test_odd_checkpoints.py", _ON_TENSORFLOW,
    ),
]  # fmt: skip
