"""What there is in the data: segments, classes, rules that link items, properties that go together, factors."""
