"""Which products to keep on limited shelf space, by what would be lost without them."""
