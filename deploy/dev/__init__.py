"""A complete signer on one machine, for development and demonstration only."""
