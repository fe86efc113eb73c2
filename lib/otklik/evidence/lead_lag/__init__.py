"""The kind `lead_lag`: whether signals, such as mentions, say something of later sales that sales alone do not."""
