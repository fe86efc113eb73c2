"""When customers buy: indices by hour, weekday, month and holiday, told apart from trend, price and promotion."""
