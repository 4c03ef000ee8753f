"""The first pass over a source file: its SHA-256, and whether a text is in the encoding that its map says."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass
from pathlib import Path

from edge_sync.errors import SourceError
from edge_sync.filemap import Source

_BLOCK = 1 << 20
_SUFFIXES = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "csv",
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), "excel"),
    ".parquet": "parquet",
    ".pq": "parquet",
}
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_UTF8_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Inspected:
    """A file as it was when it was looked at: to see afterwards that it is still the same."""

    path: Path
    sha256: str
    bytes: int
    modified_ns: int

    def check_unchanged(self) -> None:
        now = self.path.stat()
        if (now.st_size, now.st_mtime_ns) != (self.bytes, self.modified_ns):
            raise SourceError(
                f"{self.path}: changed while it was read; import it when its program has finished writing"
            )


def format_of(path: Path, source: Source) -> str:
    """csv, excel or parquet. Raises SourceError for an ending that says nothing."""
    if source.format:
        return source.format
    try:
        return _SUFFIXES[path.suffix.lower()]
    except KeyError:
        raise SourceError(
            f"{path}: its ending tells no format; say `format: csv`, excel or parquet in the map"
        ) from None


def inspect_file(path: Path, source: Source) -> Inspected:
    """Raises SourceError for a file that is missing, empty or in another encoding than the map says."""
    try:
        state = path.stat()
        if path.is_dir():
            raise SourceError(f"{path}: is a folder; name the files in it")
        if state.st_size == 0:
            raise SourceError(f"{path}: is empty (0 bytes)")
        is_text = format_of(path, source) == "csv"
        digest = _digest(path, _EncodingCheck(path, source.encoding) if is_text else None)
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    return Inspected(path, digest, state.st_size, state.st_mtime_ns)


def _digest(path: Path, check: _EncodingCheck | None) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            if check:
                check.feed(block)
    if check:
        check.finish()
    return digest.hexdigest()


class _EncodingCheck:
    """Decodes a file block by block and says where it stops being what the map says."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._path = path
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        # Almost every file reads as windows-1254; one that is not ASCII and reads as UTF-8 is UTF-8.
        self._as_utf8 = None if encoding.startswith("utf") else codecs.getincrementaldecoder("utf-8")()
        self._is_ascii = True
        self._offset = 0
        self._lines = 0

    def feed(self, block: bytes, final: bool = False) -> None:
        if self._offset == 0:
            self._check_mark(block)
        pending = len(self._decoder.getstate()[0])
        try:
            self._decoder.decode(block, final)
        except UnicodeDecodeError as error:
            raise self._wrong(block, error, error.start - pending) from None
        self._is_ascii = self._is_ascii and block.isascii()
        if self._as_utf8:
            try:
                self._as_utf8.decode(block, final)
            except UnicodeDecodeError:
                self._as_utf8 = None
        self._offset += len(block)
        self._lines += block.count(b"\n")

    def finish(self) -> None:
        self.feed(b"", final=True)
        if self._as_utf8 and not self._is_ascii:
            raise SourceError(
                f"{self._path}: is UTF-8, not {_name(self._encoding)} as the map says; say `encoding: utf-8` in the map"
            )

    def _check_mark(self, block: bytes) -> None:
        if self._encoding != "utf-16" and block[:2] in _MARKS:
            raise SourceError(f"{self._path}: is UTF-16 (it begins with its mark); say `encoding: utf-16` in the map")
        if block.startswith(_UTF8_MARK) and not self._encoding.startswith("utf-8"):
            raise SourceError(f"{self._path}: is UTF-8 (it begins with its mark); say `encoding: utf-8` in the map")

    def _wrong(self, block: bytes, error: UnicodeDecodeError, start: int) -> SourceError:
        position = self._offset + start
        line = self._lines + block.count(b"\n", 0, max(start, 0)) + 1
        byte = error.object[error.start]
        other = "windows-1254" if self._encoding == "utf-8" else "utf-8"
        return SourceError(
            f"{self._path}: line {line}: byte 0x{byte:02X} at position {position} is not {_name(self._encoding)};"
            f" if the file is {other}, say `encoding: {other}` in the map"
        )


def _name(encoding: str) -> str:
    return {"cp1254": "windows-1254", "iso8859-9": "iso-8859-9"}.get(encoding, encoding)
