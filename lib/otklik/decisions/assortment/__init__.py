"""Which products to keep on limited places, by what customers would lose."""
