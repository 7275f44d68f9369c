"""Jobs: work in the background, stored in the database until a worker has done it."""
