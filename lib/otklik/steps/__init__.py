"""What jobs run: read tables, call two to five functions of the rooms, write tables."""
