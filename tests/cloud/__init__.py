"""Whole workflows through the real functions on moto, with AWS's event sources played around them."""
