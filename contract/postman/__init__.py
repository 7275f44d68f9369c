"""The Postman collection, generated from the OpenAPI document and postman/*.yaml.

This is own code: openapi-to-postmanv2 writes other random examples at each run, checks no response and connects no
requests.
"""
