"""`semseg`, or `python -m semseg_client`."""

from __future__ import annotations


def main() -> None:
    """Run the command."""
    # Here, because each process of the gateway imports this file, and would import the whole command line with it (12 MB).
    from .cli.main import main as run

    run()


if __name__ == "__main__":
    main()
