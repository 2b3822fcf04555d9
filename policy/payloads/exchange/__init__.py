"""What the formats of exchange requests share: requests, parameters, numbers, orders."""
