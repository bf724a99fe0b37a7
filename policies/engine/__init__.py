"""The decision: canonical request, matchers, `evaluate`, `Decision`."""
