"""The exact difference between two policies: whose requests are decided otherwise, with a request that shows it."""
