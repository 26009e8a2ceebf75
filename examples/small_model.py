"""Write a small Llama's config and a tokenizer learned from a data set, to train a reward model on from scratch.

python examples/small_model.py DATA... --out small-model
palate train --init random --model small-model --data DATA --out RM
"""

import argparse
from pathlib import Path

from palate.data import read_lists
from palate.demo.model import make_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="ranked responses in any format that palate reads")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    parser.add_argument("--dim", type=int, default=256, help="width, a multiple of 32")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--vocab", type=int, default=8000)
    args = parser.parse_args()
    found = read_lists(args.data, on_bad_row="skip")
    make_model(args.out, found.lists, dim=args.dim, layers=args.layers, vocab=args.vocab)
    print(f"{args.out}: a model without weights, and a tokenizer learned from {len(found.lists)} lists.")


if __name__ == "__main__":
    main()
