"""The kind `follow_up`: what lists promised beside what came of them, and what the next campaign should change."""
