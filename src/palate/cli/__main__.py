"""`python -m palate.cli`: the command `palate`, where no script is installed."""

from palate.cli.main import main

if __name__ == "__main__":
    main()
