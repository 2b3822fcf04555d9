"""gRPC: peers, status codes and the services on the two ports."""
