"""Parts of `otklik.cli`: arguments, environment, signals, lease."""
