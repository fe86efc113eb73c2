"""The kind `demand`: sales per product and period with quantiles, compared with naive forecasts."""
