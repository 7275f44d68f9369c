"""Events sent to other services over HTTP, signed as the Standard Webhooks specification says."""
