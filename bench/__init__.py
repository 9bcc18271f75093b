"""How fast stepfast is: each figure from a process of its own, on a file of the checkout's own disk."""
