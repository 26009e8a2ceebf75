"""The files of a checkpoint: where the heads lie, and whether every file is as it was written."""

import hashlib
from pathlib import Path

from palate.checkpoints.contract import Contract, FileRecord
from palate.checkpoints.headers import inside
from palate.errors import CheckpointError, ContractError

HEADS_FOLDER = "heads"  # a folder of its own: servers read every *.safetensors beside config.json as the model's
HEAD_FILE = f"{HEADS_FOLDER}/reward_head.safetensors"
LM_HEAD_FILE = f"{HEADS_FOLDER}/lm_head.safetensors"
EDITABLE = ("config.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json")
"""Files that tools and people touch without changing a score; the probes catch it when they do change one."""


def record_files(folder: Path) -> dict[str, FileRecord]:
    """Size and SHA-256 of every file in a folder and below, by its path in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): FileRecord(path.stat().st_size, sha256(path)) for path in files}


def sha256(path: Path) -> str:
    """The hash of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sizes(folder: Path, contract: Contract) -> None:
    """See that every file that was written is there, and the weights at their full size.

    Raises:
        CheckpointError: one is missing or has another size.
    """
    for name, record in contract.files.items():
        path = inside(folder, name)
        if not path.is_file():
            raise CheckpointError(f"{folder}: {name} is missing. Copy or download the checkpoint again, whole.")
        size = path.stat().st_size
        if size != record.size_bytes and name not in EDITABLE:
            raise CheckpointError(
                f"{path} has {size} bytes and was written with {record.size_bytes}: it was cut short or replaced. Copy "
                "or download the checkpoint again, whole."
            )


def check_tokenizer_files(folder: Path, contract: Contract) -> None:
    """See that the small files that decide about tokens have the content that was written.

    Raises:
        ContractError: one was changed.
    """
    for name, record in contract.files.items():
        if not name.endswith(".safetensors") and name not in EDITABLE and sha256(inside(folder, name)) != record.sha256:
            raise ContractError(
                f"{folder}: {name} is not the file that was saved with the weights, so texts may become other tokens. "
                "Restore it, or pass verify=False (--no-verify) if you changed it on purpose."
            )


def changed_weights(folder: Path, contract: Contract) -> list[str]:
    """Which weight files no longer have the content that was written; reads them whole."""
    weights = {name: record for name, record in contract.files.items() if name.endswith(".safetensors")}
    return [name for name, record in weights.items() if sha256(inside(folder, name)) != record.sha256]
