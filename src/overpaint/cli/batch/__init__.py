"""`overpaint batch`: from a file of jobs to a folder of pictures; what is done is never done again."""
