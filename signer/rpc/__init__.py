"""gRPC: peers, status codes and the services on the two ports.

The transport reads its environment once, when grpc is first imported, so what
this service asks of it is set here, before any module of the package loads grpc.
"""

import os

# grpc offers TLS 1.2 and cannot be told not to. The cipher list rules 1.2 only,
# and this suite needs a pre-shared key that nobody has: so 1.2 never agrees on one.
os.environ["GRPC_SSL_CIPHER_SUITES"] = "ECDHE-PSK-CHACHA20-POLY1305"
# Its own log is not JSON, and repeats what is reported as one clear line.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
