"""The kind `lead_lag`: whether signals, such as mentions, predict later sales beyond what past sales predict."""
