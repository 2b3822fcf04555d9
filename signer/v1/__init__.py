"""Generated from proto/signer/v1 by `make proto`; not edited by hand."""
