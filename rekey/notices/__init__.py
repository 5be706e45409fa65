"""What people are told, and the channels that carry it."""
