"""What targets start from: certificates and a CRL without keys."""
