"""Parquet into rows, batch by batch."""

import io
from collections.abc import Generator

from palate.data.rows import Place, Row
from palate.errors import DataError

_BATCH_ROWS = 1024


def parquet_rows(stream: io.BufferedReader, label: str) -> Generator[Row]:
    """The rows of a Parquet file.

    Raises:
        DataError: the file is cut off or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Parquet's index is at its end: a stream that can't be sought quickly (gzip) is read whole.
    source = stream if isinstance(stream.raw, io.FileIO) else io.BytesIO(stream.read())
    number = 0
    try:
        for batch in pq.ParquetFile(source).iter_batches(batch_size=_BATCH_ROWS):
            for values in batch.to_pylist():
                number += 1
                yield Row(values, Place(label, number, "row"))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError) as error:
        raise DataError(f"it can't be read as Parquet ({error}). Is it cut off or damaged? Copy it again.") from None
