"""Every kind of value: equal in type and behaviour when it comes back, or refused with its path."""
