"""The Postman collection: made of the OpenAPI document and of postman/*.yaml.

Own code: openapi-to-postmanv2 makes other random examples at each run, asks nothing of an answer and joins no requests.
"""
