"""The kind `season`: indices by hour, weekday, month and holiday, controlling for trend, price and promotion."""
