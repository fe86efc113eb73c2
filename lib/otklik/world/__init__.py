"""The known-truth generator: people, engagement, campaigns with planted effects and planted defects."""
