"""What all HTTP endpoints share: strict bodies, problems, cursors, middleware, OpenAPI."""
