"""The files that contenders read: made by Spark from numbers and salts, kept in a folder for the next run."""
