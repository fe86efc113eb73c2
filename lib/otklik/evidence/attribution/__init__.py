"""The kind `attribution`: conversions shared out among channels by several rules, none of which proves an effect."""
