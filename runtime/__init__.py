"""What every peergate process shares: configuration, policy reload, judge, decision log, metrics, ops, workers."""
