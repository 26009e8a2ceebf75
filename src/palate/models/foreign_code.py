"""What in a config would make transformers fetch code and run it; palate refuses all of it."""

from typing import Any


def names_code(value: Any, name: str = "") -> str:
    """The first entry that makes transformers fetch code: a class of the repository's own, or a kernel from the Hub.

    Source: CVE-2026-4372 (an attention implementation in config.json was fetched and run in spite of
    trust_remote_code=False); a name with a slash is a Hub repository.
    """
    if name == "auto_map" and value:
        return "auto_map"
    if name.endswith("_implementation") and "/" in str(value):
        return f"{name} {value!r}"
    parts: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        parts = [(str(key), one) for key, one in value.items()]
    elif isinstance(value, list):
        parts = [("", one) for one in value]
    return next((found for key, one in parts if (found := names_code(one, key))), "")
