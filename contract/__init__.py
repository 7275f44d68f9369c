"""The published description of the API: openapi.json, the Postman collection, and the tables in docs."""
