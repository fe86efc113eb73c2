"""How much of each product will be sold in the next days, weeks or months, with quantiles, beside naive forecasts."""
