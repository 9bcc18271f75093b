"""The ports on real services: `sqlite` on one machine, `dynamodb` with `aws` in a cloud account."""
