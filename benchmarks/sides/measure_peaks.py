"""A side: measures the matrix-product peak (see `peaks.py`)."""

from peaks import measure
from sides.exchange import read_job, write_figures


def main() -> None:
    job = read_job()
    rows = measure([tuple(pair) for pair in job["linears"]], job["tokens"], job["dtypes"], job["device"])
    write_figures({"rows": rows, "seconds": 0.0})


if __name__ == "__main__":
    main()
