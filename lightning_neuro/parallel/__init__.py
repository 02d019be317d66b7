"""Training in several processes that gives the numbers of one process."""
