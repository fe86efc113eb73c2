"""The kind `follow_up`: predictions of lists compared with outcomes, and advice for the next campaign."""
