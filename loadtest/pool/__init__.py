"""What the session pool costs, beside loops that have nothing but the token."""
