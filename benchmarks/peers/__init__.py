"""What a user would write without driftstream, on the same topic."""
