"""The page for people who do not read code: figures, verdicts, and where every number comes from."""
