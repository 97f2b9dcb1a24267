"""Files of tasks: in a folder, in object storage, in memory."""
