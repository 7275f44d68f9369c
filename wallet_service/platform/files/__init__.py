"""Files in the database: uploaded and downloaded in chunks, with an owner, a quota and an expiry."""
