"""Reading data loads no heavy library until a file needs it."""

import subprocess
import sys

HEAVY = ("torch", "transformers", "datasets", "pyarrow", "numpy")


def test_palate_data_imports_nothing_heavy() -> None:
    code = f"import sys, palate.data; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
