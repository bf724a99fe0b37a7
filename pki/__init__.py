"""The certificate life cycle around peergate."""
