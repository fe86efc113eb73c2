"""Generator of a world with known truth: people, engagement, campaigns, planted effects and planted defects."""
