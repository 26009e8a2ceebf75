"""Snapshots inside a run: complete or ignored. The manifest is written last, and verified before a run goes on."""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from palate.errors import CheckpointError

MANIFEST = "manifest.json"
PREFIX = "checkpoint-"

log = logging.getLogger(__name__)


def seal(folder: Path, facts: Mapping[str, Any]) -> None:
    """Declare a snapshot complete: everything in it is flushed to the disk, then its manifest is put there in one move.

    Args:
        folder: with all its files written.
        facts: kept in the manifest, and compared when a run resumes.

    Raises:
        OSError: the disk is full or went away; there is no manifest then.
    """
    files = {}
    for path in _files(folder):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        files[path.relative_to(folder).as_posix()] = {"size_bytes": path.stat().st_size, "sha256": _sha256(path)}
    waiting = folder / f".{MANIFEST}"
    with waiting.open("w", encoding="utf-8") as file:
        json.dump({"facts": dict(facts), "files": files}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    waiting.rename(folder / MANIFEST)
    _sync_folder(folder)
    _sync_folder(folder.parent)


def fault(folder: Path) -> str | None:
    """Why a snapshot is not complete, in words; None if it is."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        expected: dict[str, dict[str, Any]] = manifest["files"]
    except FileNotFoundError:
        return "it has no manifest: the run ended while it was written"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"its manifest cannot be read ({type(error).__name__})"
    for name, facts in expected.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != facts["size_bytes"]:
            return f"{name} has {path.stat().st_size} bytes instead of {facts['size_bytes']}"
        if _sha256(path) != facts["sha256"]:
            return f"{name} is not what was written"
    return None


def facts_of(folder: Path) -> dict[str, Any]:
    """What was said when the snapshot was sealed."""
    return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["facts"]


def newest_complete(run: Path) -> Path | None:
    """The newest complete snapshot of a run; those that are not are named in a warning.

    Returns:
        None where the run has no snapshot at all, so that it starts again.

    Raises:
        CheckpointError: there are snapshots, and none is complete.
    """
    faults: list[str] = []
    for folder in snapshots(run):
        found = fault(folder)
        if found is None:
            if faults:
                log.warning("going on from %s: %s.", folder.name, "; ".join(faults))
            return folder
        faults.append(f"{folder.name} is not complete: {found}")
    if faults:
        raise CheckpointError(
            f"{run}: there is no complete snapshot to go on from. {'; '.join(faults)}. Start again with overwrite."
        )
    return None


def snapshots(run: Path) -> list[Path]:
    """The run's snapshots, complete or not, newest first."""
    found = [path for path in run.glob(f"{PREFIX}*") if path.is_dir() and path.name.removeprefix(PREFIX).isdigit()]
    return sorted(found, key=step_of, reverse=True)


def step_of(folder: Path | None) -> int:
    """The step after which a snapshot was made; 0 without one."""
    return 0 if folder is None else int(folder.name.removeprefix(PREFIX))


def rotate(run: Path, keep: int, best: Path | None) -> None:
    """Remove the snapshots that are older than the `keep` newest complete ones, except the best."""
    sealed = [folder for folder in snapshots(run) if (folder / MANIFEST).is_file()]
    for folder in sealed[keep:]:
        if best is None or folder.name != best.name:
            (folder / MANIFEST).unlink()  # first, so that a half-removed one is never taken for complete
            shutil.rmtree(folder)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in (MANIFEST, f".{MANIFEST}"))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
