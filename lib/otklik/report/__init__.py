"""The page for people who do not read code: pictures, verdicts, and where every number comes from."""
