"""Moving money over HTTP: single operations, refunds, batches."""
