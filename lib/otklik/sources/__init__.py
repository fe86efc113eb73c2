"""Raw files → bronze, silver and rejected: the contract, the reader, the checks."""
