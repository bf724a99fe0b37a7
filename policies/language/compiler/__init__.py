"""Documents -> PolicySet: resolves names, reads patterns, and refuses what would mean something else than it says."""
