"""The kind `media_mix`: what spending on channels brings, with carry-over and saturation, and how to split a budget."""
