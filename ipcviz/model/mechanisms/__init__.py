"""What the state has of each mechanism, one module each, named as in the other floors. Pure."""
