"""One style for policy files and their tests; comments stay, and so does what a file says (`formatted`)."""
