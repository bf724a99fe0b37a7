"""What each command does; `peergate.cli` only says how they are called. Each module is loaded when its command runs."""
