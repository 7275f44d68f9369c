"""What others hold in their hands of the API: openapi.json, and the Postman collection that is made of it."""
