"""The only room that reads and writes tables: where they live, their definitions, the ledger of files and runs."""
