"""Silence while transformers loads and saves: its progress bars and its load report; what was set before is set after.

What the report says is not lost: missing and mismatched weights are errors of palate's own.
"""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

REPORTING_LOGGER = "transformers.modeling_utils"
REPORT_MARK = "LOAD REPORT"


@contextmanager
def quiet_transformers() -> Generator[None]:
    """No progress bar and no load report within; other warnings pass."""
    from transformers.utils import logging as transformers_logging

    logger = logging.getLogger(REPORTING_LOGGER)
    before = transformers_logging.set_tqdm_hook(_no_bar)
    logger.addFilter(_is_no_report)
    try:
        yield
    finally:
        logger.removeFilter(_is_no_report)
        transformers_logging.set_tqdm_hook(before)


def _no_bar(_factory: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    from transformers.utils.logging import EmptyTqdm

    return EmptyTqdm(*args, **kwargs)


def _is_no_report(record: logging.LogRecord) -> bool:
    return REPORT_MARK not in record.getMessage()
