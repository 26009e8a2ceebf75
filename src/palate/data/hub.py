"""Datasets of the `datasets` library: saved in a folder, or by their name on the Hub."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palate.data.rows import Place, Rejected, Row
from palate.errors import DataError

_BATCH_ROWS = 1024


@dataclass(frozen=True, slots=True)
class DatasetSource:
    """One split of a `datasets.Dataset`.

    Attributes:
        dataset: the split.
        label: its name in messages and ids.
    """

    dataset: Any
    label: str

    def rows(self, quotes: bool = True) -> Generator[Row | Rejected]:
        """The rows in order; `quotes` means nothing here."""
        del quotes
        number = 0
        for batch in self.dataset.with_format("arrow").iter(batch_size=_BATCH_ROWS):
            for values in batch.to_pylist():
                number += 1
                yield Row(values, Place(self.label, number, "row"))


def is_saved_dataset(folder: Path) -> bool:
    """Whether `datasets` wrote this folder with `save_to_disk`."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def saved_source(folder: Path, split: str = "") -> DatasetSource:
    """A folder that `save_to_disk` wrote.

    Raises:
        DataError: it can't be read, or has several splits and none was named.
    """
    import datasets

    try:
        found = datasets.load_from_disk(str(folder))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{folder}: `datasets` can't read this folder ({error}). Save it again.") from None
    return _one_split(found, folder.name, split)


def hub_source(name: str) -> DatasetSource:
    """A dataset on the Hub: `owner/name`, `owner/name@revision`, `owner/name:split`; the split is `train` by default.

    Raises:
        DataError: it is not there, the Hub can't be reached, or it can't be read.
    """
    import datasets
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HfHubHTTPError

    repository, _, split = name.partition(":")
    repository, _, revision = repository.partition("@")
    try:
        found = datasets.load_dataset(repository, revision=revision or None)
    except (DatasetsError, HfHubHTTPError, OSError, ValueError, RuntimeError) as error:
        why = str(error).strip().split("\n")[0]
        raise DataError(
            f"{name}: there is no such file or folder here, and the dataset {repository!r} can't be loaded from the "
            f"Hub ({type(error).__name__}: {why}). Check the name and the network, or download it and name the folder."
        ) from None
    return _one_split(found, name, split)


def _one_split(found: Any, label: str, split: str) -> DatasetSource:
    if not isinstance(found, Mapping):
        return DatasetSource(found, label)
    splits, label = list(found), label.partition(":")[0]
    chosen = split or ("train" if "train" in splits else splits[0] if len(splits) == 1 else "")
    if chosen not in splits:
        wanted = f"no split {split!r}" if split else "several splits"
        raise DataError(f"{label}: the dataset has {wanted}; name one of {', '.join(splits)} as {label}:SPLIT.")
    return DatasetSource(found[chosen], f"{label}:{chosen}")
