"""`python -m xemplar`."""

from xemplar.cli import main

if __name__ == "__main__":
    main()
