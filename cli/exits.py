"""What the command's exit status means, the same for every command."""

OK = 0
JOB_FAILED = 1
"""The job failed, was cancelled, or its generator did not pass: the command says which."""
REFUSED = 2
"""Wrong usage, refused by the service, or the service is not there."""
MISMATCH = 1
"""A record does not hold, or its run gave another generator."""
