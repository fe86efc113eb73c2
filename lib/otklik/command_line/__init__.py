"""What `otklik.cli` is made of: the arguments, what surrounds a command, signals, and the lease that it holds."""
