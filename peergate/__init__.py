"""The `peergate` command: the composition root of everything else."""
