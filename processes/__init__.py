"""Other programs, started, listened to and stopped for certain. Knows nothing of jobs, workers or servers."""
