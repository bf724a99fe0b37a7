"""What a decision costs: `python -m bench` measures it on this machine and prints one table from one run."""
