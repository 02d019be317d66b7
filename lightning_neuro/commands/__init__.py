"""What ``lightning-neuro COMMAND`` does with its arguments; libraries that take seconds are imported when it works."""
