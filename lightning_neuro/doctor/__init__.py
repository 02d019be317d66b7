"""``lightning-neuro doctor``: what of this machine works, what is missing, what that would enable, how to get it."""
