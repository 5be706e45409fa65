"""What the nightly check looks for, and what it may do about it."""
