"""What a schedule will do, without a Trainer."""
