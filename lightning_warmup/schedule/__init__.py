"""What a schedule is: floats, no torch, no Lightning."""
