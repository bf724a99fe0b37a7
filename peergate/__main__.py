"""`python -m peergate` is the `peergate` command."""

from peergate.cli import main

if __name__ == "__main__":
    main()
