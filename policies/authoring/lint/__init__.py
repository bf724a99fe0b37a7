"""What a valid policy says that its author hardly meant. A finding never changes what a policy decides."""
