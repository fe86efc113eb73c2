"""The kind `multiclass`: which of several given classes a customer belongs to."""
