"""What watching costs: measured in pairs, against doing without and against other tools."""
