"""What training and answering cost: memory, bills, prices, forecasts."""
