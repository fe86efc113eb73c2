"""The kind `attribution`: conversions attributed to channels by several rules, none of which proves an effect."""
