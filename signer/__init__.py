"""Signgate: a signing service that enforces a policy on what it decodes itself."""
