"""The kind `media_mix`: the return on spend by channel, with carry-over and saturation, and how to split a budget."""
