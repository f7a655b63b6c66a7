"""The short syntaxes that are little languages: ports, mounts, devices."""
