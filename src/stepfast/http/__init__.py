"""The HTTP API, written once as a Lambda handler and served by the dev server through `gateway`."""
