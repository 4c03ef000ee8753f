"""The released versions of every contract: files that never change, and what must be true before a new one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from expectations.compatibility import changes, gravest, parts, raised
from expectations.contract import Catalogue, Contract
from expectations.odcs import ContractFileError, Terms, dump, load, terms

RELEASED = Path(__file__).resolve().parent / "released"
SUFFIX = ".odcs.yaml"
SUMS = "SHA256SUMS"  # what each file was when it was released
HEADER = "# A released contract. Never edit it: change the declaration in expectations/tables.py, raise its\n"
HEADER += "# version and run `uretimiq contracts release`.\n"


@dataclass(frozen=True)
class Finding:
    """Something that `check` refuses, in one line with the remedy. `to_release`: a release is all that is missing."""

    contract: str
    problem: str
    remedy: str
    to_release: bool = False

    def __str__(self) -> str:
        return f"{self.contract}: {self.problem}: {self.remedy}"


class ReleaseRefused(ValueError):
    """A contract cannot be released; `findings` tell why."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(map(str, self.findings)))


def _sums(folder: Path) -> dict[str, str]:
    """SHA-256 by file, relative to `folder`, as noted at the release."""
    path = folder / SUMS
    lines = path.read_text().splitlines() if path.exists() else []
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.glob(f"*/*{SUFFIX}"))}


def versions(folder: Path, name: str) -> list[str]:
    """Released versions of the contract `name`, oldest first. Raises ContractFileError for a file named otherwise."""
    found = [p.name.removesuffix(SUFFIX) for p in (folder / name).glob(f"*{SUFFIX}")]
    try:
        return sorted(found, key=parts)
    except ValueError as error:
        raise ContractFileError(f"{folder / name}: {error}") from None


def newest(folder: Path, name: str) -> Terms | None:
    """The terms of the newest released version; None where there is none. Raises ContractFileError."""
    known = versions(folder, name)
    if not known:
        return None
    path = folder / name / f"{known[-1]}{SUFFIX}"
    return load(path.read_text(encoding="utf-8"), f"{name}/{path.name}")


def check(catalogue: Catalogue, folder: Path | None = None) -> list[Finding]:
    """Everything that stands against the declarations as they are; empty when all is released and in order."""
    folder = folder or RELEASED
    touched = _touched(folder)
    found = [*touched.values()]
    for contract in catalogue.contracts:
        if contract.name not in touched:
            found += _check_one(contract, newest(folder, contract.name))
    for name in sorted({file.split("/")[0] for file in _files(folder)} - set(catalogue.by_name)):
        told = "take the declaration back, or remove its released files in a commit that says who may still read it"
        found.append(Finding(name, "is released but no longer declared", told))
    return found


def _touched(folder: Path) -> Mapping[str, Finding]:
    """By contract: a released file that is not what was released."""
    noted, files = _sums(folder), _files(folder)
    found: dict[str, Finding] = {}
    for file in sorted(noted.keys() | files.keys()):
        name, version = file.split("/")[0], file.split("/")[-1].removesuffix(SUFFIX)
        if file not in files:
            problem = f"released file {file} is missing"
        elif file not in noted:
            problem = f"{file} is there but was never released"
        elif hashlib.sha256(files[file]).hexdigest() != noted[file]:
            problem = f"released file {file} was changed, but a release never changes"
        else:
            continue
        remedy = (
            f"restore it with `git checkout -- expectations/released` and declare a version after {version} instead"
        )
        found.setdefault(name, Finding(name, problem, remedy))
    return found


def _check_one(contract: Contract, released: Terms | None) -> list[Finding]:
    name, version = contract.name, contract.version
    to_release = Finding(name, f"version {version} is not released", f"run `uretimiq contracts release {name}`", True)
    try:
        parts(version)
    except ValueError as error:
        return [Finding(name, str(error), "declare one of that form")]
    if released is None:
        return [to_release]
    last = released.contract.version
    found = changes(released, terms(contract))
    if parts(version) < parts(last):
        return [Finding(name, f"version {version} is before the released {last}", f"declare {last} or a later one")]
    needed = raised(last, level) if (level := gravest(found)) else last
    if parts(version) < parts(needed):
        return [
            Finding(name, f"{c.where}: {c.what}", f"declare version {raised(last, c.level)} or take the change back")
            for c in found
            if parts(version) < parts(raised(last, c.level))
        ]
    return [to_release] if version != last else []


def release(catalogue: Catalogue, names: Iterable[str] = (), folder: Path | None = None) -> list[Path]:
    """Write the files of declared versions that are not released yet, of all contracts or of `names`.

    Raises ReleaseRefused where anything but the release itself is missing, and then writes nothing.
    """
    folder = folder or RELEASED
    wanted = set(names) or {*catalogue.by_name, *(p.name for p in folder.glob("*/"))}
    found = [finding for finding in check(catalogue, folder) if finding.contract in wanted]
    if refused := [finding for finding in found if not finding.to_release]:
        raise ReleaseRefused(refused)
    written = []
    for finding in found:
        contract = catalogue[finding.contract]
        path = folder / contract.name / f"{contract.version}{SUFFIX}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + dump(contract), encoding="utf-8")
        written.append(path)
    _note(folder, written)
    return written


def _note(folder: Path, written: Iterable[Path]) -> None:
    new = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in written}
    if new:
        lines = [f"{digest}  {name}\n" for name, digest in sorted({**_sums(folder), **new}.items())]
        (folder / SUMS).write_text("".join(lines))
