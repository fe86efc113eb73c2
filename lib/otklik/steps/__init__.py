"""What jobs run: read tables, call two to five functions of the subpackages, write tables."""
