"""YAML text -> authored documents -> compiled PolicySet, with every problem at once."""
