"""The audit log: its records, its RFC 6962 tree, and its publication as C2SP tiles."""
